// A beam is one eye looking at one facet: the part of the facet on screen, and the maps from the world to its chart.
//
//     world point −eye→ relative point ── forms ──→ (X, Y, W, height, near)      chart point = (X / W, Y / W)
//
// (X, Y, W) is the central projection from the eye onto the facet's plane, written in the facet's chart; `height` is the
// distance in front of that plane less a bias, `near` the distance beyond the near plane. A point can hide something of
// the facet only where W, height and near are positive.

/** How far in front of the facet an occluder must lie: a wall the ad hangs on does not hide it. */
const PLANE_BIAS_M = 1e-5;
const U = 6; // columns of the outline: six frustum distances, then the chart

/** One beam, written anew for each pair. */
export class Beam {
  constructor() {
    this.eye = new Float64Array(3);
    this.toward = new Float64Array(3);
    this.orthographic = false;
    this.forms = new Float64Array(20);
    this.sides = 0;
    this.outline = new Float64Array(24);
    this.borders = new Float64Array(36);
    /** Chart (u, v, 1) to homogeneous screen x, y, w. */
    this.screen = new Float64Array(9);
    /** Of the part on screen: in the chart, and as a share of the viewport. */
    this.area = new Float64Array(2);
    this.owner = -1;
  }

  /** Writes the part of the facet on screen and its areas; false where there is none, or it is edge-on. */
  cast(camera, facet, [half, other]) {
    if (Math.abs(height(camera, facet)) <= 1e-12) return false;
    const { outline } = this;
    let outside = begun(camera, facet, half), count = facet.sides;
    for (let k = 0; outside && count >= 3; k += 1, outside >>= 1) {
      if (!(outside & 1)) continue;
      count = clip(half, count, other, k);
      [half, other] = [other, half];
    }
    if (count < 3) return false;
    let area = 0;
    for (let i = 0; i < count; i += 1) {
      const a = 8 * i + U, b = i + 1 < count ? a + 8 : U;
      area += half[a] * half[b + 1] - half[a + 1] * half[b];
      outline[2 * i] = half[a];
      outline[2 * i + 1] = half[a + 1];
    }
    this.sides = count;
    this.area[0] = area / 2;
    if (area <= 2e-12) return false;
    this.#screen(camera, facet);
    return true;
  }

  /** Writes the rest, which occluders need. */
  aim(camera, facet, owner) {
    this.eye.set(camera.eye);
    this.toward.set(camera.toward);
    this.orthographic = camera.orthographic;
    this.owner = owner;
    forms(camera, facet, this.forms);
    borders(this.outline, this.sides, this.borders);
  }

  /** Writes what another beam is, as a placed shape has it. */
  move(beam, { turn, back, at }) {
    this.orthographic = beam.orthographic;
    this.sides = beam.sides;
    this.owner = beam.owner;
    this.outline.set(beam.outline);
    this.borders.set(beam.borders);
    this.screen.set(beam.screen);
    this.area.set(beam.area);
    const { eye, toward } = beam, x = eye[0] - at[0], y = eye[1] - at[1], z = eye[2] - at[2];
    for (let c = 0; c < 3; c += 1) {
      this.eye[c] = back[3 * c] * x + back[3 * c + 1] * y + back[3 * c + 2] * z;
      this.toward[c] = back[3 * c] * toward[0] + back[3 * c + 1] * toward[1] + back[3 * c + 2] * toward[2];
    }
    for (let row = 0; row < 20; row += 4) {
      const a = beam.forms[row], b = beam.forms[row + 1], d = beam.forms[row + 2];
      for (let c = 0; c < 3; c += 1) this.forms[row + c] = a * turn[c] + b * turn[3 + c] + d * turn[6 + c];
      this.forms[row + 3] = beam.forms[row + 3];
    }
  }

  /** Writes the beam's planes on points of its own coordinates, borders first, then the facet's and the near plane. */
  planes(planes) {
    const { forms: f, borders: b, eye, sides } = this;
    for (let k = 0; k < sides + 2; k += 1) {
      for (let c = 0; c < 4; c += 1) {
        planes[4 * k + c] =
          k < sides ? b[3 * k] * f[c] + b[3 * k + 1] * f[4 + c] + b[3 * k + 2] * f[8 + c] : f[4 * (3 + k - sides) + c];
      }
      planes[4 * k + 3] -= planes[4 * k] * eye[0] + planes[4 * k + 1] * eye[1] + planes[4 * k + 2] * eye[2];
    }
    return sides + 2;
  }

  #screen(camera, facet) {
    const { screen, outline, sides } = this, { clip: m, eye } = camera;
    for (let r = 0; r < 3; r += 1) {
      const row = r === 2 ? 12 : 4 * r;
      let u = 0, v = 0, first = m[row + 3];
      for (let c = 0; c < 3; c += 1) {
        u += m[row + c] * facet.edgeU[c];
        v += m[row + c] * facet.edgeV[c];
        first += m[row + c] * (facet.corners[c] - eye[c]);
      }
      screen[3 * r] = u;
      screen[3 * r + 1] = v;
      screen[3 * r + 2] = first;
    }
    let seen = 0;
    for (let i = 0; i < sides; i += 1) {
      const j = i + 1 < sides ? i + 1 : 0;
      seen += screenCross(screen, outline[2 * i], outline[2 * i + 1], outline[2 * j], outline[2 * j + 1]);
    }
    this.area[1] = Math.abs(seen) / 8;
  }
}

/** Returns the cross product of two chart points after mapping them to the screen (−1 … 1). */
export function screenCross(m, ax, ay, bx, by) {
  const aw = Math.max(m[6] * ax + m[7] * ay + m[8], 1e-12), bw = Math.max(m[6] * bx + m[7] * by + m[8], 1e-12);
  const au = m[0] * ax + m[1] * ay + m[2], av = m[3] * ax + m[4] * ay + m[5];
  const bu = m[0] * bx + m[1] * by + m[2], bv = m[3] * bx + m[4] * by + m[5];
  return (au * bv - av * bu) / (aw * bw);
}

/** Writes the facet's corners with their distances from the frustum's planes; returns a bit for each plane crossed. */
function begun(camera, facet, work) {
  const { planes, eye } = camera;
  let outside = 0;
  for (let i = 0; i < facet.sides; i += 1) {
    const x = facet.corners[3 * i] - eye[0], y = facet.corners[3 * i + 1] - eye[1], z = facet.corners[3 * i + 2] - eye[2];
    for (let k = 0; k < 6; k += 1) {
      const distance = planes[4 * k] * x + planes[4 * k + 1] * y + planes[4 * k + 2] * z + planes[4 * k + 3];
      if (distance < 0) outside |= 1 << k;
      work[8 * i + k] = distance;
    }
    work[8 * i + U] = facet.outline[2 * i];
    work[8 * i + U + 1] = facet.outline[2 * i + 1];
  }
  return outside;
}

function clip(source, count, target, column) {
  let made = 0;
  for (let i = 0; i < count; i += 1) {
    const a = 8 * i, b = i + 1 < count ? a + 8 : 0, here = source[a + column], there = source[b + column];
    if (here >= 0) {
      for (let k = 0; k < 8; k += 1) target[8 * made + k] = source[a + k];
      made += 1;
    }
    if (here >= 0 !== there >= 0) {
      const share = here / (here - there);
      for (let k = 0; k < 8; k += 1) target[8 * made + k] = source[a + k] + (source[b + k] - source[a + k]) * share;
      made += 1;
    }
  }
  return made;
}

/** Returns how high the eye is over the facet, or for an orthographic camera the cosine of their directions. */
function height(camera, { corners, normal }) {
  let sum = 0;
  for (let c = 0; c < 3; c += 1) {
    sum += (camera.orthographic ? camera.toward[c] : camera.eye[c] - corners[c]) * normal[c];
  }
  return sum;
}

/** Writes (X, Y, W, height, near) on eye-relative points. */
function forms(camera, facet, out) {
  const { normal, corners } = facet, { eye, toward, orthographic, planes } = camera;
  const high = height(camera, facet), side = high < 0 ? -1 : 1, reach = Math.abs(high);
  const over = (d) => (eye[0] - corners[0]) * d[0] + (eye[1] - corners[1]) * d[1] + (eye[2] - corners[2]) * d[2];
  const rise = side * over(normal);
  for (let row = 0; row < 2; row += 1) {
    const dual = row === 0 ? facet.dualU : facet.dualV;
    let slope = over(dual), scale = reach, constant = 0;
    if (orthographic) {
      const along = slope;
      scale = 1;
      slope = (toward[0] * dual[0] + toward[1] * dual[1] + toward[2] * dual[2]) / reach;
      constant = along - slope * rise;
    }
    for (let c = 0; c < 3; c += 1) out[4 * row + c] = dual[c] * scale - normal[c] * side * slope;
    out[4 * row + 3] = constant;
  }
  for (let c = 0; c < 3; c += 1) {
    out[8 + c] = orthographic ? 0 : -normal[c] * side;
    out[12 + c] = normal[c] * side;
    out[16 + c] = planes[c];
  }
  out[11] = orthographic ? 1 : 0;
  out[15] = rise - PLANE_BIAS_M;
  out[19] = planes[3];
}

/** Writes the outline's inward edges as forms on (X, Y, W). */
function borders(outline, count, out) {
  for (let i = 0; i < count; i += 1) {
    const j = i + 1 < count ? i + 1 : 0, x = outline[2 * i], y = outline[2 * i + 1];
    const dx = outline[2 * j] - x, dy = outline[2 * j + 1] - y, length = Math.sqrt(dx * dx + dy * dy);
    const real = length > 1e-13;
    out[3 * i] = real ? -dy / length : 0;
    out[3 * i + 1] = real ? dx / length : 0;
    out[3 * i + 2] = real ? -(out[3 * i] * x + out[3 * i + 1] * y) : 1;
  }
}
