// The shadows that a shape's triangles throw, seen from the eye, onto a facet: convex polygons in the facet's chart.
//
// Walk the shape's tree with the beam's planes, project each triangle met, clip it, and keep it in the room. The Python
// twins are `openslot_view.backends.compiled.collect` and `shadow`.
import { isFull, paint } from "./mask.js";
import { rowArea } from "./rows.js";
import { THIN, unionArea } from "./union.js";

/** How a beam stands: some of it may be seen, nothing of it can be, or there were too many shadows. */
export const OPEN = 0, HIDDEN = 1, OVERFLOW = 2;

const SLIVER = 1e-11;
const ALL = 1 - 1e-9;
const NOTHING_LEFT = 2e-5; // share of the on-screen part, and of the viewport, that is not worth looking for
const EXACT = 1024; // shadows up to which the union is exact
const W = 2, HEIGHT = 3, NEAR = 4, BORDER = 5, ID = 6, STRIDE = 8; // columns of `room.work`
const CUT = 3; // the ids 0, 1, 2 are the triangle's own edges

/** Writes the area of the shadows' union, in the chart and as a share of the viewport, to `room.sum`. */
export function total(beam, room) {
  room.sum[0] = room.sum[1] = 0;
  if (room.shadows === 0) return;
  if (room.shadows <= EXACT) unionArea(beam.screen, room);
  else rowArea(beam, room);
}

/** Whether a tree's box has a point inside every plane. */
export function meets({ low, high }, node, planes, count) {
  const at = 3 * node;
  for (let k = 0; k < 4 * count; k += 4) {
    const a = planes[k], b = planes[k + 1], c = planes[k + 2];
    const x = a > 0 ? high[at] : low[at], y = b > 0 ? high[at + 1] : low[at + 1], z = c > 0 ? high[at + 2] : low[at + 2];
    if (planes[k + 3] + a * x + b * y + c * z < 0) return false;
  }
  return true;
}

/** Adds a shape's shadows to those in `room`, numbered from `offset` on; returns how the beam stands. */
export function collect(shape, beam, offset, room) {
  const { tree } = shape, { planes, stack } = room, count = beam.planes(planes);
  let depth = tree.nodes ? 1 : 0, ask = 0;
  stack[0] = 0;
  while (depth) {
    depth -= 1;
    const node = stack[depth];
    if (!meets(tree, node, planes, count)) continue;
    if (tree.size[node] === 0) {
      stack[depth] = tree.first[node];
      stack[depth + 1] = tree.first[node] + 1;
      depth += 2;
      continue;
    }
    const before = room.shadows, first = tree.first[node];
    let state = leaf(shape, beam, first, first + tree.size[node], offset, room);
    if (state === OPEN && room.shadows > Math.max(before, ask) && isFull(room.wanted, room.mask)) {
      total(beam, room);
      // near the eye next to nothing of an ad may be much of the screen
      const nothing = room.sum[0] > (1 - NOTHING_LEFT) * beam.area[0] && room.sum[1] > beam.area[1] - NOTHING_LEFT;
      state = nothing ? HIDDEN : OPEN;
      ask = 2 * room.shadows;
    }
    if (state !== OPEN) return state;
  }
  return OPEN;
}

function leaf(shape, beam, from, to, offset, room) {
  for (let t = from; t < to; t += 1) {
    if (!project(shape, t, beam, room.work[0])) continue;
    const count = shadow(beam, room);
    if (count === 0) continue;
    if (!room.oneMore()) return OVERFLOW;
    if (!keep(room.work[room.half], count, room)) continue;
    const number = room.shadows;
    if (room.area[number] >= ALL * beam.area[0]) return HIDDEN;
    if (number === 0) {
      room.wanted.fill(0);
      room.mask.fill(0);
      paint(beam.outline, 2, 0, beam.sides, room.wanted, room.span);
    }
    paint(room.table, 5, room.start[number], room.start[number + 1], room.mask, room.span);
    for (let k = 0; k < 3; k += 1) {
      const other = shape.neighbour[3 * t + k];
      room.neighbour[3 * number + k] = other < 0 ? -1 : other + offset;
    }
    room.triangle[number] = t + offset;
    room.shadows += 1;
  }
  return OPEN;
}

/** Writes the forms' values of a triangle's corners; false if it cannot hide anything. */
function project(shape, t, beam, work) {
  const { corners } = shape, { eye, forms: f } = beam, at = 9 * t;
  const x0 = corners[at] - eye[0], y0 = corners[at + 1] - eye[1], z0 = corners[at + 2] - eye[2];
  const x1 = corners[at + 3] - eye[0], y1 = corners[at + 4] - eye[1], z1 = corners[at + 5] - eye[2];
  const x2 = corners[at + 6] - eye[0], y2 = corners[at + 7] - eye[1], z2 = corners[at + 8] - eye[2];
  if (isTurnedAway(shape, t, beam, x0, y0, z0, x1 - x0, y1 - y0, z1 - z0, x2 - x0, y2 - y0, z2 - z0)) return false;
  for (let k = 0; k < 5; k += 1) {
    const a = f[4 * k], b = f[4 * k + 1], c = f[4 * k + 2], d = f[4 * k + 3];
    const v0 = a * x0 + b * y0 + c * z0 + d, v1 = a * x1 + b * y1 + c * z1 + d, v2 = a * x2 + b * y2 + c * z2 + d;
    if (k >= W && v0 <= 0 && v1 <= 0 && v2 <= 0) return false;
    work[k] = v0;
    work[STRIDE + k] = v1;
    work[2 * STRIDE + k] = v2;
  }
  work[ID] = 0;
  work[STRIDE + ID] = 1;
  work[2 * STRIDE + ID] = 2;
  return true;
}

/** Whether a triangle (corner 0 from the eye, two edges) is seen from behind and must not hide, or need not. */
function isTurnedAway(shape, t, beam, x, y, z, ux, uy, uz, vx, vy, vz) {
  if (!shape.oneSided[t] && shape.body[t] < 0) return false;
  const nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
  const side = beam.orthographic
    ? nx * beam.toward[0] + ny * beam.toward[1] + nz * beam.toward[2]
    : -(nx * x + ny * y + nz * z);
  if (side > 0) return false;
  if (shape.oneSided[t]) return true;
  // of a closed body beyond the near plane the faces turned away hide nothing that the others do not
  const box = shape.bodies[shape.body[t]], { forms, eye } = beam;
  let reach = forms[19];
  for (let k = 0; k < 3; k += 1) {
    const slope = forms[16 + k];
    reach += slope * (box[slope > 0 ? k : 3 + k] - eye[k]);
  }
  return reach > 0;
}

/** Clips what `project` wrote; returns the number of corners, 0 for none, in the half of `room.work` that `room.half` says. */
function shadow({ borders, sides }, room) {
  const first = room.work[0];
  let crossed = 0;
  for (let b = 0; b < sides; b += 1) {
    const x = borders[3 * b], y = borders[3 * b + 1], w = borders[3 * b + 2];
    let out = 0;
    for (let i = 0; i < 3 * STRIDE; i += STRIDE) if (x * first[i] + y * first[i + 1] + w * first[i + W] < 0) out += 1;
    if (out === 3) return 0;
    if (out) crossed |= 1 << b;
  }
  room.half = 0;
  let count = cut(room, cut(room, cut(room, 3, HEIGHT), NEAR), W);
  for (let b = 0; count && crossed >> b; b += 1) {
    if (!((crossed >> b) & 1)) continue;
    measure(room.work[room.half], count, borders, 3 * b);
    count = cut(room, count, BORDER);
  }
  return count;
}

function cut(room, count, column) {
  const source = room.work[room.half];
  let isCrossed = false;
  for (let i = 0; i < count; i += 1) isCrossed ||= source[STRIDE * i + column] < 0;
  if (!isCrossed) return count;
  const made = clip(source, count, room.work[1 - room.half], column);
  room.half = 1 - room.half;
  return made < 3 ? 0 : made;
}

function measure(work, count, borders, b) {
  for (let i = 0; i < count * STRIDE; i += STRIDE) {
    work[i + BORDER] = borders[b] * work[i] + borders[b + 1] * work[i + 1] + borders[b + 2] * work[i + W];
  }
}

/** Sutherland and Hodgman's step; the edge that starts at a corner has its id in the last column. */
function clip(source, count, target, column) {
  let made = 0;
  for (let i = 0; i < count; i += 1) {
    const a = STRIDE * i, b = i + 1 < count ? a + STRIDE : 0, here = source[a + column], there = source[b + column];
    if (here >= 0) {
      for (let k = 0; k <= ID; k += 1) target[STRIDE * made + k] = source[a + k];
      made += 1;
    }
    if (here >= 0 !== there >= 0) {
      const share = here / (here - there), at = STRIDE * made;
      for (let k = 0; k < ID; k += 1) target[at + k] = source[a + k] + (source[b + k] - source[a + k]) * share;
      target[at + column] = 0;
      target[at + ID] = here >= 0 ? CUT : source[a + ID];
      made += 1;
    }
  }
  return made;
}

/** Writes the polygon, divided and counter-clockwise, as the next shadow; false if it is a sliver. */
function keep(work, count, room) {
  const { table, source, start } = room, shadow = room.shadows;
  for (let i = 0; i < count * STRIDE; i += STRIDE) {
    const weight = 1 / Math.max(work[i + W], 1e-12);
    work[i] *= weight;
    work[i + 1] *= weight;
  }
  let area = 0;
  for (let i = 0; i < count; i += 1) {
    const a = STRIDE * i, b = i + 1 < count ? a + STRIDE : 0;
    area += work[a] * work[b + 1] - work[a + 1] * work[b];
  }
  if (Math.abs(area) < 2 * SLIVER) return false;
  const begin = start[shadow], last = count - 1;
  for (let i = 0; i < count; i += 1) {
    const vertex = area < 0 ? last - i : i, edge = area < 0 ? (i < last ? last - 1 - i : last) : i;
    table[5 * (begin + i)] = work[STRIDE * vertex];
    table[5 * (begin + i) + 1] = work[STRIDE * vertex + 1];
    source[begin + i] = work[STRIDE * edge + ID];
  }
  start[shadow + 1] = begin + count;
  room.area[shadow] = Math.abs(area) / 2;
  room.flipped[shadow] = area < 0 ? 1 : 0;
  lines(begin, begin + count, shadow, room);
  return true;
}

/** Writes the inward lines of the edges begin … end, the shadow's box, and whether it is a needle. */
function lines(begin, end, shadow, { table, box, thin, area }) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity, longest = 0;
  for (let i = begin; i < end; i += 1) {
    const a = 5 * i, b = 5 * (i + 1 < end ? i + 1 : begin), x = table[a], y = table[a + 1];
    const dx = table[b] - x, dy = table[b + 1] - y, squared = dx * dx + dy * dy, scale = 1 / Math.max(Math.sqrt(squared), 1e-15);
    if (squared > longest) longest = squared;
    table[a + 2] = -dy * scale;
    table[a + 3] = dx * scale;
    table[a + 4] = (dy * x - dx * y) * scale;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  box[4 * shadow] = left;
  box[4 * shadow + 1] = right;
  box[4 * shadow + 2] = low;
  box[4 * shadow + 3] = high;
  thin[shadow] = area[shadow] < THIN * longest ? 1 : 0;
}
