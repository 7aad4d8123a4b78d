// One ad slot in the scene: its outline in the colour of its state, its creative, the disclosure label.
import {
  AnimationMixer, Box3, BufferAttribute, BufferGeometry, CanvasTexture, Color, DoubleSide, Group, Mesh, MeshBasicMaterial, PlaneGeometry,
  SRGBColorSpace, Vector3,
} from "./vendor/three.min.js";
import { loadCreative } from "./gltf.js";

const FLASH_S = 1.4;
const COLORS = { empty: "#8d97a8", filled: "#f0a32b", rendered: "#3a90ea", viewable: "#22b873" };
const GLOW = { empty: 0.12, filled: 0.4, rendered: 0.5, viewable: 0.75 };

export class SlotView {
  constructor(slot) {
    this.id = slot.id;
    this.size = slot.size;
    this.viewable = slot.viewable;
    this.flash = 0;
    this.shown = undefined;
    this.pending = false;
    this.mixer = null;
    this.root = new Group();
    this.root.position.fromArray(slot.position);
    this.root.quaternion.fromArray(slot.rotation);
    this.frame = new Mesh(outline(slot.size), new MeshBasicMaterial({ toneMapped: false, side: DoubleSide }));
    this.glow = halo(slot.size);
    this.creative = new Group();
    this.label = label(slot.size);
    this.root.add(this.frame, this.glow, this.creative, this.label);
  }

  /** Takes a slot's new state; a rise of its viewable count makes it flash. */
  update(slot) {
    const color = new Color(COLORS[slot.state] ?? COLORS.empty);
    this.frame.material.color.copy(color);
    this.glow.material.color.copy(color);
    this.rest = GLOW[slot.state] ?? GLOW.empty;
    if (slot.viewable > this.viewable) this.flash = FLASH_S;
    this.viewable = slot.viewable;
    if (slot.creative_url !== this.shown) this.put(slot.creative_url);
  }

  async put(url) {
    this.shown = url;
    this.creative.clear();
    this.mixer = null;
    this.label.visible = Boolean(url);
    this.pending = Boolean(url);
    if (!url) return;
    try {
      const gltf = await loadCreative(url);
      if (this.shown === url) this.hang(gltf);
    } catch (error) {
      console.warn(`creative ${url} was not shown: ${error.message}`);
    } finally {
      this.pending = this.shown !== url;
    }
  }

  /** Fits a creative into the slot: whole, centred, its back on the slot's plane. */
  hang({ scene, animations }) {
    const box = new Box3().setFromObject(scene);
    const extent = box.getSize(new Vector3());
    const middle = box.getCenter(new Vector3());
    const scale = Math.min(this.size[0] / extent.x, this.size[1] / extent.y);
    scene.scale.multiplyScalar(scale);
    scene.position.set(-middle.x * scale, -middle.y * scale, -box.min.z * scale);
    this.creative.add(scene);
    if (!animations.length) return;
    this.mixer = new AnimationMixer(scene);
    for (const clip of animations) this.mixer.clipAction(clip).play();
  }

  animate(dt) {
    this.mixer?.update(dt);
    this.flash = Math.max(0, this.flash - dt);
    const pulse = this.flash / FLASH_S;
    this.glow.material.opacity = this.rest + (1 - this.rest) * pulse;
    this.frame.scale.setScalar(1 + 0.08 * pulse * Math.abs(Math.sin(pulse * 9)));
  }
}

function outline([width, height]) {
  const bar = Math.min(0.16, Math.max(0.03, 0.052 * Math.min(width, height)));
  const x = width / 2, y = height / 2;
  const inner = [[-x, -y], [x, -y], [x, y], [-x, y]];
  const outer = [[-x - bar, -y - bar], [x + bar, -y - bar], [x + bar, y + bar], [-x - bar, y + bar]];
  const points = new Float32Array([...inner, ...outer].flatMap(([px, py]) => [px, py, 0.012]));
  const order = [0, 1, 2, 3].flatMap((k) => [4 + k, 4 + ((k + 1) % 4), (k + 1) % 4, 4 + k, (k + 1) % 4, k]);
  return new BufferGeometry().setAttribute("position", new BufferAttribute(points, 3)).setIndex(order);
}

let softEdge = null;

function halo([width, height]) {
  softEdge ??= painted(128, 128, (pen) => {
    pen.shadowColor = "#fff";
    pen.shadowBlur = 20;
    pen.fillStyle = "#fff";
    pen.fillRect(24, 24, 80, 80);
    pen.clearRect(25, 25, 78, 78);
  });
  const material = new MeshBasicMaterial({ map: softEdge, transparent: true, depthWrite: false, toneMapped: false });
  const reach = 0.32 * Math.min(width, height);
  const glow = new Mesh(new PlaneGeometry((width + reach) * 1.3, (height + reach) * 1.3), material);
  glow.position.z = -0.012;
  return glow;
}

let word = null;

function label([width, height]) {
  word ??= painted(128, 72, (pen) => {
    pen.fillStyle = "#10131acc";
    pen.beginPath();
    pen.roundRect(2, 2, 124, 68, 16);
    pen.fill();
    pen.fillStyle = "#fff";
    pen.font = "600 48px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText("Ad", 64, 39);
  });
  const tall = Math.min(0.32, Math.max(0.05, 0.1 * Math.min(width, height)));
  const material = new MeshBasicMaterial({ map: word, transparent: true, toneMapped: false });
  const mark = new Mesh(new PlaneGeometry((tall * 128) / 72, tall), material);
  mark.position.set(-width / 2 + tall * 1.1, height / 2 - tall * 0.75, 0.03);
  mark.visible = false;
  return mark;
}

function painted(width, height, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  paint(canvas.getContext("2d"));
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  return texture;
}
