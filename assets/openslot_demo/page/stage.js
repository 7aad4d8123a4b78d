// The 3D view: one canvas, the worlds loaded when first shown, lights by a world's mood.
import {
  Box3, DirectionalLight, Group, HemisphereLight, NeutralToneMapping, OrbitControls, PCFShadowMap, PerspectiveCamera, Scene, Timer, Vector3,
  WebGLRenderer,
} from "./vendor/three.min.js";
import { load } from "./gltf.js";
import { SlotView } from "./slots.js";
import { Walkers } from "./walkers.js";

const SLOW_S = 1 / 22;
const UNCAST = new Set(["shell", "shade", "glow"]);
const PLAIN = { sky: ["#b9cbd8", "#eeeae2"], ground: "#8f8779", sun: "#ffffff", sun_from: [0.5, 0.8, 0.6], sun_strength: 1.6, fill: 2 };

export class Stage {
  /** `ratio` pins the pixel ratio; without it a slow machine draws fewer pixels. */
  constructor(canvas, onLoading, ratio) {
    this.canvas = canvas;
    this.onLoading = onLoading;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true, powerPreference: "low-power" });
    this.renderer.toneMapping = NeutralToneMapping;
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = PCFShadowMap;
    this.renderer.shadowMap.autoUpdate = false;
    this.pinned = ratio !== undefined;
    this.ratio = ratio ?? Math.min(window.devicePixelRatio || 1, 1.5);
    this.scene = new Scene();
    this.sky = new HemisphereLight();
    this.sun = new DirectionalLight();
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(2048, 2048);
    this.sun.shadow.bias = -0.0004;
    this.sun.shadow.normalBias = 0.06;
    this.scene.add(this.sky, this.sun, this.sun.target);
    this.camera = new PerspectiveCamera(45, 1, 0.25, 400);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = true;
    this.controls.maxPolarAngle = Math.PI * 0.495;
    this.controls.listenToKeyEvents(canvas);
    this.worlds = new Map();
    this.current = null;
    this.riding = false;
    this.pace = 1 / 60;
    this.timer = new Timer();
    new ResizeObserver(() => this.resize()).observe(canvas);
    requestAnimationFrame((now) => this.frame(now));
  }

  /** Shows a world's newest state; loads its scene the first time. */
  show(world) {
    let view = this.worlds.get(world.name);
    if (!view) {
      view = new WorldView(world);
      this.worlds.set(world.name, view);
      this.fetch(view, world);
    }
    view.update(world);
    if (this.current !== view) this.enter(view);
  }

  async fetch(view, world) {
    try {
      await view.load(world.scene_url);
      if (this.current === view) this.enter(view);
    } catch (error) {
      console.warn(`scene ${world.scene_url} was not shown: ${error.message}`);
      view.failed = true;
      if (this.current === view) this.onLoading("This world's scene could not be loaded.");
    }
  }

  enter(view) {
    this.current = view;
    for (const other of this.worlds.values()) other.root.removeFromParent();
    this.onLoading(view.ready ? "" : view.failed ? "This world's scene could not be loaded." : "loading the world …");
    if (!view.ready) return;
    this.scene.add(view.root);
    this.light(view);
    this.overview();
    this.renderer.shadowMap.needsUpdate = true;
    this.canvas.dataset.world = view.name;
  }

  light({ mood, box }) {
    const stage = this.canvas.parentElement.style;
    stage.setProperty("--sky-top", mood.sky[0]);
    stage.setProperty("--sky-low", mood.sky[1]);
    this.sky.color.set(mood.light ?? mood.sky[1]);
    this.sky.groundColor.set(mood.ground);
    this.sky.intensity = mood.fill;
    this.sun.color.set(mood.sun);
    this.sun.intensity = mood.sun_strength;
    const middle = box.getCenter(new Vector3());
    const reach = box.getSize(new Vector3()).length() / 2;
    this.sun.target.position.copy(middle);
    this.sun.position.fromArray(mood.sun_from).normalize().multiplyScalar(reach * 1.5).add(middle);
    const eye = this.sun.shadow.camera;
    Object.assign(eye, { left: -reach, right: reach, top: reach, bottom: -reach, near: reach * 0.3, far: reach * 2.8 });
    eye.updateProjectionMatrix();
  }

  overview() {
    this.ride(false);
    const view = this.current;
    if (!view?.ready) return;
    view.walkers.cones.visible = true;
    const { mood, box } = view;
    const middle = box.getCenter(new Vector3());
    const extent = box.getSize(new Vector3());
    const [x, y, z, tx, ty, tz] = mood.view ?? [middle.x + extent.x * 0.6, middle.y + extent.length() * 0.6, middle.z + extent.z * 0.9, ...middle];
    this.controls.target.set(tx, ty, tz);
    const wide = Math.max(1, 1.45 / this.camera.aspect);
    this.camera.position.set(x - tx, y - ty, z - tz).multiplyScalar(wide).add(this.controls.target);
    this.controls.maxDistance = extent.length() * 2;
    this.controls.update();
  }

  lookAtSlot(id) {
    this.ride(false);
    const slot = this.current?.slots.get(id);
    if (!slot) return;
    const away = Math.max(1.2, 1.5 * Math.max(slot.size[1], slot.size[0] / this.camera.aspect));
    const ahead = new Vector3(0.25, 0.08, 1).normalize().applyQuaternion(slot.root.quaternion);
    this.current.walkers.cones.visible = false;
    this.controls.target.copy(slot.root.position);
    this.camera.position.copy(slot.root.position).addScaledVector(ahead, away);
    this.controls.update();
  }

  zoom(factor) {
    const away = this.camera.position.clone().sub(this.controls.target).multiplyScalar(factor);
    this.camera.position.copy(this.controls.target).add(away);
  }

  /** Looks through the first walker's eyes, or stops doing so. */
  ride(on) {
    if (this.riding === on) return;
    this.riding = on;
    this.controls.enabled = !on;
    this.camera.fov = on ? 60 : 45;
    this.camera.updateProjectionMatrix();
    if (!on) this.overview();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.renderer.setPixelRatio(this.ratio);
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    this.camera.updateProjectionMatrix();
  }

  frame(now) {
    requestAnimationFrame((next) => this.frame(next));
    this.timer.update(now);
    const dt = Math.min(0.25, this.timer.getDelta());
    const view = this.current;
    if (!view?.ready) return;
    view.animate(dt);
    view.walkers.hidden = this.riding ? 0 : -1;
    if (!this.riding || !view.walkers.look(0, this.camera)) this.controls.update();
    this.renderer.render(this.scene, this.camera);
    this.canvas.dataset.pending = String(view.pending);
    this.canvas.dataset.frames = String(1 + Number(this.canvas.dataset.frames ?? 0));
    this.spare(dt);
  }

  /** Draws fewer pixels where the machine is slow: software rendering, old phones. */
  spare(dt) {
    this.pace += (dt - this.pace) * 0.08;
    if (this.pinned || this.pace < SLOW_S || this.ratio <= 0.75) return;
    this.ratio = Math.max(0.75, this.ratio * 0.8);
    this.pace = 1 / 60;
    this.resize();
  }
}

class WorldView {
  constructor({ name, slots }) {
    this.name = name;
    this.ready = false;
    this.failed = false;
    this.root = new Group();
    this.walkers = new Walkers();
    this.slots = new Map(slots.map((slot) => [slot.id, new SlotView(slot)]));
  }

  async load(url) {
    const { scene } = await load(url);
    this.mood = { ...PLAIN, ...scene.userData.openslot_demo };
    const castsShadow = Boolean(scene.userData.openslot_demo);
    scene.traverse((node) => {
      if (!node.isMesh) return;
      node.castShadow = castsShadow && !UNCAST.has(node.material.name);
      node.receiveShadow = castsShadow && node.material.name !== "glow";
    });
    this.box = new Box3().setFromObject(scene);
    this.root.add(scene, this.walkers.root, ...[...this.slots.values()].map((slot) => slot.root));
    this.ready = true;
  }

  /** How many creatives are still on their way. */
  get pending() {
    return [...this.slots.values()].filter((slot) => slot.pending).length;
  }

  update({ slots, walkers }) {
    for (const slot of slots) this.slots.get(slot.id)?.update(slot);
    this.walkers.update(walkers ?? []);
  }

  animate(dt) {
    for (const slot of this.slots.values()) slot.animate(dt);
    this.walkers.animate(dt);
  }
}
