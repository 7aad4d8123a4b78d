// Meshes in their own coordinates with all that is known of them apart from any viewer: what may hide an ad.
//
// A shape's triangles lie in the order of its tree. `neighbour` is the triangle over each edge when that edge is shared by
// exactly two triangles of one winding, else −1; `body` the closed body a triangle is of, or −1. Of a closed body the
// faces turned away hide nothing that the faces turned towards do not. The Python twin is `openslot_view.triangles`.
import { must } from "./errors.js";
import { finished, growTree, largerLast, refit } from "./trees.js";

const LARGEST = 1e12;
const OFTEN = 4096; // steps between two pauses

/** Returns the shape of a mesh; arguments and errors as `growShape`. */
export function shapeOf(positions, index, options) {
  return finished(growShape(positions, index, options));
}

/**
 * Returns the shape of `index` (3 a triangle; null: in order) over `positions` (3 a vertex), yielding now and then.
 *
 * `oneSided` is one flag or one a triangle; a `deforming` mesh can be `bend` later. Throws `geometry.invalid`.
 */
export function* growShape(positions, index, { oneSided = false, deforming = false } = {}) {
  const vertices = positions.length / 3;
  index ??= Uint32Array.from({ length: vertices - (vertices % 3) }, (_, i) => i);
  checkMesh(positions, index);
  yield;
  const kept = withArea(positions, index), count = kept.length;
  const ids = deforming ? null : yield* welded(positions);
  const corner = new Uint32Array(3 * count);
  for (let i = 0; i < 3 * count; i += 1) corner[i] = index[3 * kept[(i / 3) | 0] + (i % 3)];
  const neighbour = yield* neighbours(ids ? corner.map((vertex) => ids[vertex]) : corner);
  const low = new positions.constructor(3 * count), high = new positions.constructor(3 * count);
  boxes(positions, corner, low, high);
  const tree = yield* growTree(low, high);
  yield;
  const shape = ordered(tree, positions, corner, neighbour);
  shape.oneSided = Uint8Array.from(tree.order, (t) => (typeof oneSided === "boolean" ? oneSided : oneSided[kept[t]]) ? 1 : 0);
  shape.bodies = deforming ? [] : closedBodies(shape);
  largerLast(tree, extents(shape));
  if (!deforming) shape.vertex = null;
  return shape;
}

/** Takes new positions of the same vertices. */
export function bend(shape, positions) {
  const { corners, vertex, tree } = shape;
  for (let i = 0; i < vertex.length; i += 1) {
    for (let k = 0; k < 3; k += 1) corners[3 * i + k] = positions[3 * vertex[i] + k];
  }
  for (let node = 0; node < tree.nodes; node += 1) {
    if (tree.size[node]) boxOf(corners, 3 * tree.first[node], 3 * (tree.first[node] + tree.size[node]), tree, node);
  }
  refit(tree);
}

/** Throws `geometry.invalid` for positions that are no numbers, or an index out of range. */
export function checkMesh(positions, index) {
  must(Number.isInteger(positions.length / 3), "geometry.invalid", "not three numbers a vertex", "vertices");
  for (let i = 0; i < positions.length; i += 1) {
    if (!(Math.abs(positions[i]) <= LARGEST)) must(false, "geometry.invalid", "not finite", `vertices/${(i / 3) | 0}`);
  }
  for (let i = 0; i < index.length; i += 1) {
    if (!(index[i] < positions.length / 3)) must(false, "geometry.invalid", "index out of range", "triangles");
  }
}

/** Returns the triangles that have an area. */
function withArea(positions, index) {
  const kept = new Uint32Array(Math.floor(index.length / 3));
  let count = 0;
  for (let t = 0; t < kept.length; t += 1) {
    const a = 3 * index[3 * t], b = 3 * index[3 * t + 1], c = 3 * index[3 * t + 2];
    const ux = positions[b] - positions[a], uy = positions[b + 1] - positions[a + 1], uz = positions[b + 2] - positions[a + 2];
    const vx = positions[c] - positions[a], vy = positions[c + 1] - positions[a + 1], vz = positions[c + 2] - positions[a + 2];
    if (uy * vz - uz * vy || uz * vx - ux * vz || ux * vy - uy * vx) kept[count++] = t;
  }
  return kept.subarray(0, count);
}

/** Returns one id for each distinct position, so that meshes with split normals still have neighbours. */
function* welded(positions) {
  const count = positions.length / 3, size = roomFor(count), mask = size - 1;
  const slots = new Int32Array(size).fill(-1), ids = new Uint32Array(count);
  const bits = new Int32Array(Float32Array.from(positions, (part) => part + 0).buffer); // −0 is 0
  for (let i = 0; i < count; i += 1) {
    let k = (Math.imul(bits[3 * i], 73856093) ^ Math.imul(bits[3 * i + 1], 19349663) ^ Math.imul(bits[3 * i + 2], 83492791)) & mask;
    for (; slots[k] >= 0; k = (k + 1) & mask) {
      const j = slots[k];
      if (same(positions, i, j)) break;
    }
    if (slots[k] < 0) slots[k] = i;
    ids[i] = slots[k];
    if (i % OFTEN === 0) yield;
  }
  return ids;
}

function same(positions, i, j) {
  const a = 3 * i, b = 3 * j;
  return positions[a] === positions[b] && positions[a + 1] === positions[b + 1] && positions[a + 2] === positions[b + 2];
}

/** Returns for edge k of each triangle (corner k to k + 1) the one triangle that runs it the other way, or −1. */
function* neighbours(corner) {
  const edges = corner.length, size = roomFor(edges), mask = size - 1;
  const slots = new Int32Array(size).fill(-1), repeated = new Uint8Array(edges), found = new Int32Array(edges).fill(-1);
  const next = (e) => corner[e % 3 === 2 ? e - 2 : e + 1];
  const find = (a, b) => {
    let k = (Math.imul(a, 73856093) ^ Math.imul(b, 19349663)) & mask;
    while (slots[k] >= 0 && (corner[slots[k]] !== a || next(slots[k]) !== b)) k = (k + 1) & mask;
    return k;
  };
  for (let e = 0; e < edges; e += 1) {
    const k = find(corner[e], next(e));
    if (slots[k] < 0) slots[k] = e;
    else repeated[e] = repeated[slots[k]] = 1;
    if (e % OFTEN === 0) yield;
  }
  for (let e = 0; e < edges; e += 1) {
    const other = slots[find(next(e), corner[e])];
    if (other >= 0 && !repeated[e] && !repeated[other]) found[e] = (other / 3) | 0;
    if (e % OFTEN === 0) yield;
  }
  return found;
}

function roomFor(count) {
  let size = 16;
  while (size < 2 * count) size *= 2;
  return size;
}

function boxes(positions, corner, low, high) {
  for (let t = 0; t < corner.length / 3; t += 1) {
    for (let k = 0; k < 3; k += 1) {
      const a = positions[3 * corner[3 * t] + k], b = positions[3 * corner[3 * t + 1] + k], c = positions[3 * corner[3 * t + 2] + k];
      low[3 * t + k] = Math.min(a, b, c);
      high[3 * t + k] = Math.max(a, b, c);
    }
  }
}

/** Returns the shape with its triangles in the tree's order. */
function ordered(tree, positions, corner, neighbour) {
  const count = tree.order.length, rank = new Int32Array(count), vertex = new Uint32Array(3 * count);
  for (let i = 0; i < count; i += 1) rank[tree.order[i]] = i;
  const shape = {
    tree, count, vertex, corners: new positions.constructor(9 * count), neighbour: new Int32Array(3 * count),
    body: new Int32Array(count).fill(-1), oneSided: null, bodies: [],
  };
  for (let i = 0; i < 3 * count; i += 1) {
    const from = 3 * tree.order[(i / 3) | 0] + (i % 3);
    vertex[i] = corner[from];
    shape.neighbour[i] = neighbour[from] < 0 ? -1 : rank[neighbour[from]];
    for (let k = 0; k < 3; k += 1) shape.corners[3 * i + k] = positions[3 * corner[from] + k];
  }
  return shape;
}

/** Returns the boxes (low, high: 6 numbers) of closed bodies: connected, without a border, wound outwards. */
function closedBodies({ corners, neighbour, body, count }) {
  const root = Int32Array.from({ length: count }, (_, t) => t);
  const rootOf = (t) => {
    while (root[t] !== t) t = root[t] = root[root[t]];
    return t;
  };
  for (let e = 0; e < 3 * count; e += 1) {
    const a = rootOf((e / 3) | 0), b = neighbour[e] < 0 ? a : rootOf(neighbour[e]);
    root[Math.max(a, b)] = Math.min(a, b);
  }
  const volume = new Float64Array(count), open = new Uint8Array(count);
  for (let t = 0; t < count; t += 1) {
    const r = rootOf(t);
    volume[r] += volumeAbout(corners, 9 * r, 9 * t); // about the root's corner, for digits far from the origin
    if (neighbour[3 * t] < 0 || neighbour[3 * t + 1] < 0 || neighbour[3 * t + 2] < 0) open[r] = 1;
  }
  const found = [], number = new Int32Array(count);
  for (let t = 0; t < count; t += 1) {
    const r = rootOf(t);
    if (open[r] || !(volume[r] > 0)) continue;
    if (r === t) number[r] = found.push({ low: [Infinity, Infinity, Infinity], high: [-Infinity, -Infinity, -Infinity] }) - 1;
    body[t] = number[r];
    boxOf(corners, 3 * t, 3 * t + 3, found[number[r]], -1);
  }
  return found.map(({ low, high }) => Float64Array.of(...low, ...high));
}

function volumeAbout(corners, o, t) {
  const at = (k) => corners[t + k] - corners[o + (k % 3)];
  const x = at(4) * at(8) - at(5) * at(7), y = at(5) * at(6) - at(3) * at(8), z = at(3) * at(7) - at(4) * at(6);
  return at(0) * x + at(1) * y + at(2) * z;
}

/** Writes the box of the corners `from` … `to` as that of a tree's node; with node −1 it widens a single box. */
function boxOf(corners, from, to, { low, high }, node) {
  const at = Math.max(0, 3 * node);
  for (let k = 0; k < 3; k += 1) {
    let least = node < 0 ? low[k] : Infinity, most = node < 0 ? high[k] : -Infinity;
    for (let i = from; i < to; i += 1) {
      const part = corners[3 * i + k];
      if (part < least) least = part;
      if (part > most) most = part;
    }
    low[at + k] = least;
    high[at + k] = most;
  }
}

/** Returns twice the area of each triangle. */
function extents({ corners, count }) {
  const found = new Float64Array(count);
  for (let t = 0; t < count; t += 1) {
    const at = (k) => corners[9 * t + k] - corners[9 * t + (k % 3)];
    const x = at(4) * at(8) - at(5) * at(7), y = at(5) * at(6) - at(3) * at(8), z = at(3) * at(7) - at(4) * at(6);
    found[t] = Math.sqrt(x * x + y * y + z * z);
  }
  return found;
}
