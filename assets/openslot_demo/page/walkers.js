// The walkers: small figures with the cone of their view. y is the floor under their feet; yaw 0 looks along -Z.
import {
  BufferAttribute, Color, ConeGeometry, DoubleSide, Euler, Group, InstancedMesh, LatheGeometry, Matrix4, MeshBasicMaterial,
  MeshLambertMaterial, Quaternion, Vector2, Vector3,
} from "./vendor/three.min.js";

const MOST = 64;
const EYE_M = 1.6;
const CONE_M = 3.2;
const COLORS = ["#e4572e", "#1f6f78", "#f3a712", "#7a4f9a", "#2f86e0", "#d1495b", "#3d8b56", "#f08a5d"];
const FIGURE = [[0.27, 0], [0.27, 0.1], [0.2, 0.3], [0.15, 0.75], [0.2, 1.1], [0.19, 1.25], [0.1, 1.36], [0.09, 1.4], [0.16, 1.46], [0.19, 1.58], [0.16, 1.7], [0, 1.77]];
const FULL = new Vector3(1, 1, 1);
const GONE = new Vector3(0, 0, 0);

export class Walkers {
  constructor() {
    this.places = [];
    this.hidden = -1;
    this.bodies = new InstancedMesh(new LatheGeometry(FIGURE.map(([r, y]) => new Vector2(r, y)), 14), new MeshLambertMaterial(), MOST);
    const light = new MeshBasicMaterial({ vertexColors: true, transparent: true, depthWrite: false, side: DoubleSide, toneMapped: false });
    this.cones = new InstancedMesh(viewCone(), light, MOST);
    this.root = new Group();
    this.root.add(this.bodies, this.cones);
    for (const mesh of [this.bodies, this.cones]) mesh.frustumCulled = false;
    for (let at = 0; at < MOST; at += 1) this.bodies.setColorAt(at, new Color(COLORS[at % COLORS.length]));
    this.bodies.count = this.cones.count = 0;
  }

  /** Takes the walkers' new places; they glide there. */
  update(walkers) {
    this.places = walkers.slice(0, MOST).map(({ x, y, z, yaw_deg }, at) => {
      const target = { position: new Vector3(x, y, z), yaw: (yaw_deg * Math.PI) / 180 };
      const before = this.places[at];
      return { target, position: before?.position ?? target.position.clone(), yaw: before?.yaw ?? target.yaw };
    });
    this.bodies.count = this.cones.count = this.places.length;
  }

  animate(dt) {
    const share = 1 - Math.exp(-7 * dt);
    this.places.forEach((place, at) => {
      place.position.lerp(place.target.position, share);
      const turn = place.target.yaw - place.yaw;
      place.yaw += Math.atan2(Math.sin(turn), Math.cos(turn)) * share;
      const pose = new Matrix4().compose(place.position, heading(place.yaw), at === this.hidden ? GONE : FULL);
      this.bodies.setMatrixAt(at, pose);
      this.cones.setMatrixAt(at, pose);
    });
    this.bodies.instanceMatrix.needsUpdate = true;
    this.cones.instanceMatrix.needsUpdate = true;
  }

  /** Puts a camera into a walker's eyes; returns false where there is no such walker. */
  look(at, camera) {
    const place = this.places[at];
    if (!place) return false;
    camera.position.copy(place.position).y += EYE_M;
    camera.quaternion.copy(heading(place.yaw));
    return true;
  }
}

/** The cone of a view toward -Z: bright at the eye, gone at its end. */
function viewCone() {
  const cone = new ConeGeometry(1.5, CONE_M, 24, 4, true).translate(0, -CONE_M / 2, 0).rotateX(Math.PI / 2).scale(1, 0.55, 1);
  const { position } = cone.attributes;
  const colors = new Float32Array(position.count * 4);
  for (let at = 0; at < position.count; at += 1) {
    colors.set([1, 0.93, 0.62, 0.5 * (1 + position.getZ(at) / CONE_M) ** 1.6], at * 4);
  }
  return cone.setAttribute("color", new BufferAttribute(colors, 4)).translate(0, EYE_M, -0.1);
}

function heading(yaw) {
  return new Quaternion().setFromEuler(new Euler(0, yaw, 0));
}
