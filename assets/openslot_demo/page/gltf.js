// GLB files to three.js objects, without blob: addresses, so that the page runs under `default-src 'self'`.
import {
  ClampToEdgeWrapping, clone, GLTFLoader, LinearFilter, LinearMipmapLinearFilter, MeshLambertMaterial, MirroredRepeatWrapping, RepeatWrapping,
  SRGBColorSpace, Texture,
} from "./vendor/three.min.js";

const WRAPS = { 33071: ClampToEdgeWrapping, 33648: MirroredRepeatWrapping, 10497: RepeatWrapping };

/** A GLTFLoader plugin that decodes images from the GLB's own bytes. */
class EmbeddedImages {
  name = "openslot_embedded_images";

  constructor(parser) {
    this.parser = parser;
  }

  loadTexture(index) {
    const { json } = this.parser;
    const { source, sampler } = json.textures[index];
    const image = json.images?.[source];
    return image?.bufferView === undefined ? null : this.decode(image, json.samplers?.[sampler] ?? {});
  }

  async decode(image, { wrapS, wrapT }) {
    const bytes = await this.parser.getDependency("bufferView", image.bufferView);
    const options = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    const texture = new Texture(await createImageBitmap(new Blob([bytes], { type: image.mimeType }), options));
    texture.flipY = false;
    texture.minFilter = LinearMipmapLinearFilter;
    texture.magFilter = LinearFilter;
    texture.wrapS = WRAPS[wrapS] ?? RepeatWrapping;
    texture.wrapT = WRAPS[wrapT] ?? RepeatWrapping;
    texture.anisotropy = 4;
    texture.needsUpdate = true;
    return texture;
  }
}

const loader = new GLTFLoader().register((parser) => new EmbeddedImages(parser));

/** Loads a GLB; unlit colours are left as painted, plain lit materials become cheaper ones of the same look. */
export async function load(url) {
  const gltf = await loader.loadAsync(url);
  const made = new Map();
  gltf.scene.traverse((node) => {
    if (node.isMesh && !Array.isArray(node.material)) node.material = plain(node.material, made);
  });
  return gltf;
}

const creatives = new Map();

/** Loads a creative once and returns a copy of its own for each slot it hangs in: { scene, animations }. */
export async function loadCreative(url) {
  if (!creatives.has(url)) creatives.set(url, load(url));
  const { scene, animations } = await creatives.get(url);
  return { scene: clone(scene), animations };
}

function plain(material, made) {
  if (made.has(material)) return made.get(material);
  const result = material.isMeshStandardMaterial && !material.isMeshPhysicalMaterial && !material.normalMap ? lambert(material) : material;
  if (result.isMeshBasicMaterial) result.toneMapped = false;
  if (result.map) result.map.colorSpace = SRGBColorSpace;
  made.set(material, result);
  return result;
}

function lambert(source) {
  const { name, color, map, side, transparent, opacity, alphaTest, depthWrite, vertexColors, flatShading, emissive, emissiveMap, emissiveIntensity } = source;
  return new MeshLambertMaterial({ name, color, map, side, transparent, opacity, alphaTest, depthWrite, vertexColors, flatShading, emissive, emissiveMap, emissiveIntensity });
}
