// What may stand before an ad: shapes, each placed by a 4×4 that may change every frame, under a tree of their boxes.
import { OPEN, collect, meets } from "./shadows.js";
import { finished, growTree, refit } from "./trees.js";

/** The placed shapes of a world; matrices are 16 numbers, column by column. */
export class Occluders {
  constructor() {
    this.placements = new Set();
    this.tree = null;
    this.order = [];
    this.isStale = false;
  }

  /** Lets a shape stand there; `owner` is of which surface it is the own mesh, `name` what a person calls it. */
  add(shape, matrix, { owner = -1, name = "" } = {}) {
    const placement = {
      shape, owner, name, hides: true, turn: new Float64Array(9), back: new Float64Array(9), at: new Float64Array(3),
      low: new Float64Array(3), high: new Float64Array(3), rank: -1,
    };
    this.placements.add(placement);
    this.tree = null;
    this.move(placement, matrix);
    return placement;
  }

  remove(placement) {
    if (this.placements.delete(placement)) this.tree = null;
  }

  /** Lets a placed shape stand elsewhere, or takes note that the shape itself has bent. */
  move(placement, matrix) {
    const { turn, back, at } = placement;
    for (let r = 0; r < 3; r += 1) {
      for (let c = 0; c < 3; c += 1) turn[3 * r + c] = matrix[4 * c + r];
      at[r] = matrix[12 + r];
    }
    placement.hides = invert(turn, back);
    bound(placement);
    this.isStale = true;
  }

  /** Adds the shadows of all that stands in the beam to `room`, numbered from `offset` on; returns how it stands. */
  collect(beam, local, room, offset) {
    this.#settle();
    const { tree, order } = this, { worldPlanes: planes, worldStack: stack } = room;
    if (!tree?.nodes) return OPEN;
    const count = beam.planes(planes);
    let depth = 1;
    stack[0] = 0;
    while (depth) {
      depth -= 1;
      const node = stack[depth];
      if (!meets(tree, node, planes, count)) continue;
      const first = tree.first[node], size = tree.size[node];
      if (size === 0) {
        stack[depth] = first;
        stack[depth + 1] = first + 1;
        depth += 2;
      }
      for (let i = first; i < first + size; i += 1) {
        const placement = order[i];
        if (!placement.hides || (placement.owner >= 0 && placement.owner === beam.owner)) continue;
        local.move(beam, placement);
        const state = collect(placement.shape, local, offset, room);
        if (state !== OPEN) return state;
        offset += placement.shape.count;
      }
    }
    return OPEN;
  }

  /** Brings the tree up to date: anew when something came or went, else by widening its boxes. */
  #settle() {
    if (!this.tree) {
      const all = [...this.placements], low = new Float64Array(3 * all.length), high = new Float64Array(3 * all.length);
      all.forEach((each, i) => {
        low.set(each.low, 3 * i);
        high.set(each.high, 3 * i);
      });
      this.tree = finished(growTree(low, high));
      this.order = Array.from(this.tree.order, (i) => all[i]);
    } else if (this.isStale) {
      this.#refit();
    }
    this.isStale = false;
  }

  #refit() {
    const { tree, order } = this, { low, high, first, size } = tree;
    for (let node = 0; node < tree.nodes; node += 1) {
      if (!size[node]) continue;
      for (let k = 0; k < 3; k += 1) {
        let least = Infinity, most = -Infinity;
        for (let i = first[node]; i < first[node] + size[node]; i += 1) {
          least = Math.min(least, order[i].low[k]);
          most = Math.max(most, order[i].high[k]);
        }
        low[3 * node + k] = least;
        high[3 * node + k] = most;
      }
    }
    refit(tree);
  }
}

/** Writes the inverse of a 3×3; false where it has none. */
function invert(m, back) {
  const x = m[4] * m[8] - m[5] * m[7], y = m[5] * m[6] - m[3] * m[8], z = m[3] * m[7] - m[4] * m[6];
  const determinant = m[0] * x + m[1] * y + m[2] * z;
  if (!(Math.abs(determinant) > 1e-30)) return false;
  back[0] = x / determinant;
  back[3] = y / determinant;
  back[6] = z / determinant;
  back[1] = (m[2] * m[7] - m[1] * m[8]) / determinant;
  back[4] = (m[0] * m[8] - m[2] * m[6]) / determinant;
  back[7] = (m[1] * m[6] - m[0] * m[7]) / determinant;
  back[2] = (m[1] * m[5] - m[2] * m[4]) / determinant;
  back[5] = (m[2] * m[3] - m[0] * m[5]) / determinant;
  back[8] = (m[0] * m[4] - m[1] * m[3]) / determinant;
  return true;
}

/** Writes the box in the world about the shape's box. */
function bound({ shape: { tree }, turn, at, low, high }) {
  for (let r = 0; r < 3; r += 1) {
    let middle = at[r], half = 0;
    for (let c = 0; c < 3 && tree.nodes; c += 1) {
      middle += (turn[3 * r + c] * (tree.low[c] + tree.high[c])) / 2;
      half += (Math.abs(turn[3 * r + c]) * (tree.high[c] - tree.low[c])) / 2;
    }
    low[r] = middle - half;
    high[r] = middle + half;
  }
}
