// What the measurement needs of a camera; the Python twin is `openslot_view.cameras`.
//
// Matrices are 16 numbers, column by column, as in three.js, WebGL and glTF. All geometry is taken relative to the eye in
// float64, so that a world 100 km from its origin measures like one at it.
import { must } from "./errors.js";

/** Which clip depths are drawn, near and far in units of w. */
export const DEPTHS = { minus_one_to_one: 0, zero_to_one: 1, reversed_zero_to_one: 2 };

const REVERSED = 2;
const SINGULAR = 1e-12;
const LARGEST = 1e12;

/** One camera: `set` it each frame, nothing is allocated. */
export class Camera {
  constructor() {
    this.eye = new Float64Array(3);
    /** The unit direction from the screen to the viewer. */
    this.toward = new Float64Array(3);
    this.orthographic = false;
    /** Rows of the 4×4 from eye-relative world metres to clip space. */
    this.clip = new Float64Array(16);
    /** Near, far, left, right, bottom, top on eye-relative metres, inside ≥ 0. */
    this.planes = new Float64Array(24);
    this.viewportPx = new Float64Array(2);
    this.centre = new Float64Array(4);
  }

  /** Takes camera_from_world, clip_from_camera, the viewport's size and the depth convention; throws `camera.invalid`. */
  set(view, projection, widthPx, heightPx, depth = 0) {
    check(view, projection, widthPx, heightPx, depth);
    this.viewportPx[0] = widthPx;
    this.viewportPx[1] = heightPx;
    projectionCentre(projection, this.centre);
    const centre = this.centre;
    const largest = Math.max(Math.abs(centre[0]), Math.abs(centre[1]), Math.abs(centre[2]), Math.abs(centre[3]));
    this.orthographic = Math.abs(centre[3]) <= SINGULAR * largest;
    for (let k = 0; k < 3; k += 1) centre[k] = this.orthographic ? 0 : centre[k] / centre[3];
    place(view, centre, this.eye);
    this.#clip(view, projection);
    this.#planes(depth);
    this.#toward();
    return this;
  }

  #clip(view, projection) {
    const { clip, centre } = this;
    for (let i = 0; i < 4; i += 1) {
      for (let j = 0; j < 3; j += 1) {
        let sum = 0;
        for (let k = 0; k < 3; k += 1) sum += projection[4 * k + i] * view[4 * j + k];
        clip[4 * i + j] = sum;
      }
      // the eye maps to x = y = w = 0 by its definition; rounding must not say otherwise
      let last = 0;
      if (this.orthographic || i === 2) {
        last = projection[12 + i];
        for (let k = 0; k < 3; k += 1) last += projection[4 * k + i] * centre[k];
      }
      clip[4 * i + 3] = last;
    }
  }

  #planes(depth) {
    const { clip, planes } = this;
    for (let c = 0; c < 4; c += 1) {
      const z = clip[8 + c], w = clip[12 + c];
      const low = depth === 0 ? w + z : z, high = w - z;
      planes[c] = depth === REVERSED ? high : low;
      planes[4 + c] = depth === REVERSED ? low : high;
      planes[8 + c] = w + clip[c];
      planes[12 + c] = w - clip[c];
      planes[16 + c] = w + clip[4 + c];
      planes[20 + c] = w - clip[4 + c];
    }
    for (let k = 0; k < 24; k += 4) {
      const gradient = Math.sqrt(planes[k] ** 2 + planes[k + 1] ** 2 + planes[k + 2] ** 2);
      const constant = Math.abs(planes[k + 3]);
      // a far plane at infinity has no gradient: it stays the constant that is always inside
      const scale = gradient > SINGULAR * constant ? gradient : Math.max(constant, 1e-300);
      for (let c = 0; c < 4; c += 1) planes[k + c] /= scale;
    }
  }

  #toward() {
    const { clip, planes, toward } = this;
    let x = clip[12], y = clip[13], z = clip[14];
    if (this.orthographic) {
      x = clip[1] * clip[6] - clip[2] * clip[5];
      y = clip[2] * clip[4] - clip[0] * clip[6];
      z = clip[0] * clip[5] - clip[1] * clip[4];
      if (x * planes[0] + y * planes[1] + z * planes[2] < 0) [x, y, z] = [-x, -y, -z];
    }
    const length = Math.sqrt(x * x + y * y + z * z);
    toward[0] = -x / length;
    toward[1] = -y / length;
    toward[2] = -z / length;
  }
}

function check(view, projection, widthPx, heightPx, depth) {
  must(isFinite16(view), "camera.invalid", "not 16 finite numbers", "camera_from_world");
  must(isFinite16(projection), "camera.invalid", "not 16 finite numbers", "clip_from_camera");
  const affine = view[3] === 0 && view[7] === 0 && view[11] === 0 && view[15] === 1;
  must(affine, "camera.invalid", "last row is not 0 0 0 1", "camera_from_world");
  must(!isSingular(view, true), "camera.invalid", "singular", "camera_from_world");
  must(!isSingular(projection, false), "camera.invalid", "singular", "clip_from_camera");
  must(widthPx > 0 && heightPx > 0 && widthPx <= LARGEST && heightPx <= LARGEST, "camera.invalid", "not positive", "viewport_px");
  must(depth === 0 || depth === 1 || depth === 2, "camera.invalid", "not a known depth range", "depth");
}

function isFinite16(matrix) {
  if (matrix?.length !== 16) return false;
  for (let k = 0; k < 16; k += 1) if (!(Math.abs(matrix[k]) <= LARGEST)) return false;
  return true;
}

/** Whether a matrix has no inverse worth the name, whatever the lengths of its rows; of a view without its shift. */
function isSingular(m, isView) {
  let squares = 1;
  for (let r = 0; r < 4; r += 1) {
    const shift = isView && r < 3 ? 0 : m[12 + r];
    squares *= m[r] * m[r] + m[4 + r] * m[4 + r] + m[8 + r] * m[8 + r] + shift * shift;
  }
  const x = isView ? 0 : m[12], y = isView ? 0 : m[13], z = isView ? 0 : m[14];
  const a = m[0] * m[5] - m[1] * m[4], b = m[0] * m[6] - m[2] * m[4], c = m[0] * m[7] - m[3] * m[4];
  const d = m[1] * m[6] - m[2] * m[5], e = m[1] * m[7] - m[3] * m[5], f = m[2] * m[7] - m[3] * m[6];
  const g = m[8] * y - m[9] * x, h = m[8] * z - m[10] * x, i = m[8] * m[15] - m[11] * x;
  const j = m[9] * z - m[10] * y, k = m[9] * m[15] - m[11] * y, l = m[10] * m[15] - m[11] * z;
  const determinant = a * l - b * k + c * j + d * i - e * h + f * g;
  return !(determinant * determinant > SINGULAR * SINGULAR * squares);
}

/** Writes the homogeneous point that rows x, y and w send to 0, by cofactors. */
function projectionCentre(m, centre) {
  for (let k = 0; k < 4; k += 1) {
    const a = 4 * (k > 0 ? 0 : 1), b = 4 * (k > 1 ? 1 : 2), c = 4 * (k > 2 ? 2 : 3);
    let minor = m[a] * (m[b + 1] * m[c + 3] - m[c + 1] * m[b + 3]);
    minor -= m[b] * (m[a + 1] * m[c + 3] - m[c + 1] * m[a + 3]);
    minor += m[c] * (m[a + 1] * m[b + 3] - m[b + 1] * m[a + 3]);
    centre[k] = k % 2 === 0 ? minor : -minor;
  }
}

/** Writes the world point that `view` takes to `centre`, by Cramer's rule. */
function place(view, centre, eye) {
  const x = centre[0] - view[12], y = centre[1] - view[13], z = centre[2] - view[14];
  let whole = 0;
  for (let k = 0; k < 3; k += 1) {
    const a = 4 * ((k + 1) % 3), b = 4 * ((k + 2) % 3);
    const cx = view[a + 1] * view[b + 2] - view[b + 1] * view[a + 2];
    const cy = view[a + 2] * view[b] - view[b + 2] * view[a];
    const cz = view[a] * view[b + 1] - view[b] * view[a + 1];
    eye[k] = cx * x + cy * y + cz * z;
    whole = view[4 * k] * cx + view[4 * k + 1] * cy + view[4 * k + 2] * cz;
  }
  for (let k = 0; k < 3; k += 1) eye[k] /= whole;
}
