// Bundles the parts of three.js that the live page uses into one minified module, with its licence beside it.
// Run: node assets/vendor-three.mjs (after `npm install --prefix tests/tools`).
import { copyFile, mkdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tools = join(here, "..", "tests", "tools");
const target = join(here, "openslot_demo", "page", "vendor");
const { build } = createRequire(join(tools, "package.json"))("esbuild");
const three = join(tools, "node_modules", "three");
const { version } = JSON.parse(await readFile(join(three, "package.json"), "utf8"));

const used = [
  "AnimationMixer", "Box3", "BufferAttribute", "BufferGeometry", "CanvasTexture", "LatheGeometry", "Vector2",
  "Color", "ConeGeometry", "DirectionalLight", "Euler", "Group", "HemisphereLight", "InstancedMesh", "Matrix4", "Mesh",
  "MeshBasicMaterial", "MeshLambertMaterial", "NeutralToneMapping", "PCFShadowMap", "PerspectiveCamera", "PlaneGeometry",
  "Quaternion", "Scene", "SRGBColorSpace", "Texture", "Timer", "Vector3", "WebGLRenderer", "DoubleSide",
  "LinearMipmapLinearFilter", "LinearFilter",
  "ClampToEdgeWrapping", "MirroredRepeatWrapping", "RepeatWrapping",
];
const contents = `export { ${used.join(", ")} } from "three";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
export { clone } from "three/addons/utils/SkeletonUtils.js";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";`;

await mkdir(target, { recursive: true });
const outfile = join(target, "three.min.js");
await build({
  stdin: { contents, resolveDir: tools, loader: "js" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* three.js ${version} with GLTFLoader and OrbitControls, MIT: see three.LICENSE. Made by assets/vendor-three.mjs. */` },
  outfile,
});
await copyFile(join(three, "LICENSE"), join(target, "three.LICENSE"));
console.log(`three ${version}: ${((await stat(outfile)).size / 1024).toFixed(0)} KB`);
