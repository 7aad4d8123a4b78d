// A tree of boxes by the surface area heuristic (MacDonald and Booth 1990, binned as Wald 2007).
//
// Nodes lie breadth first, so children come after their parents. An inner node's `first` is its first child, its `size` 0;
// a leaf holds the items order[first] … order[first + size − 1]. Building is a generator: whoever pumps it may stop.
const LEAF = 4;
const BINS = 16;

/** Returns the tree over boxes `low`, `high` (3 numbers each), yielding after each node. */
export function* growTree(low, high) {
  const items = low.length / 3, room = Math.max(1, 2 * items);
  const tree = {
    low: new low.constructor(3 * room), high: new low.constructor(3 * room),
    first: new Int32Array(room), size: new Int32Array(room), order: Uint32Array.from({ length: items }, (_, i) => i),
    nodes: items ? 1 : 0,
  };
  const begin = new Int32Array(room), end = new Int32Array(room);
  end[0] = items;
  for (let node = 0; node < tree.nodes; node += 1) {
    const a = begin[node], b = end[node];
    bound(tree, node, low, high, a, b);
    if (b - a <= LEAF) {
      tree.first[node] = a;
      tree.size[node] = b - a;
    } else {
      const middle = split(tree.order, low, high, a, b), made = tree.nodes;
      tree.first[node] = made;
      begin[made] = a;
      end[made] = begin[made + 1] = middle;
      end[made + 1] = b;
      tree.nodes += 2;
    }
    yield;
  }
  for (const name of ["low", "high"]) tree[name] = tree[name].slice(0, 3 * tree.nodes);
  for (const name of ["first", "size"]) tree[name] = tree[name].slice(0, tree.nodes);
  return tree;
}

/** Returns what a generator returns, without a pause. */
export function finished(work) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Widens the boxes of inner nodes to their children's, after those of the leaves have changed. */
export function refit({ low, high, first, size, nodes }) {
  for (let node = nodes - 1; node >= 0; node -= 1) {
    if (size[node]) continue;
    const a = 3 * first[node];
    for (let k = 0; k < 3; k += 1) {
      low[3 * node + k] = Math.min(low[a + k], low[a + 3 + k]);
      high[3 * node + k] = Math.max(high[a + k], high[a + 3 + k]);
    }
  }
}

/** Swaps siblings so that the second holds the largest item by `extent`, in the tree's order: it is then walked first. */
export function largerLast({ low, high, first, size, nodes }, extent) {
  const largest = new Float64Array(nodes);
  for (let node = nodes - 1; node >= 0; node -= 1) {
    const a = first[node];
    if (size[node]) {
      for (let i = a; i < a + size[node]; i += 1) largest[node] = Math.max(largest[node], extent[i]);
      continue;
    }
    if (largest[a] > largest[a + 1]) {
      for (let k = 3 * a; k < 3 * a + 3; k += 1) {
        swap(low, k, k + 3);
        swap(high, k, k + 3);
      }
      for (const each of [first, size, largest]) swap(each, a, a + 1);
    }
    largest[node] = largest[a + 1];
  }
}

function swap(values, i, j) {
  const kept = values[i];
  values[i] = values[j];
  values[j] = kept;
}

function bound(tree, node, low, high, a, b) {
  for (let k = 0; k < 3; k += 1) {
    let least = Infinity, most = -Infinity;
    for (let i = a; i < b; i += 1) {
      const at = 3 * tree.order[i] + k;
      if (low[at] < least) least = low[at];
      if (high[at] > most) most = high[at];
    }
    tree.low[3 * node + k] = least;
    tree.high[3 * node + k] = most;
  }
}

const bins = new Float64Array(7 * BINS);
const after = new Float64Array(BINS);
const box = new Float64Array(7);

/** Parts order[a … b) in place along the longest axis of the boxes' middles; returns where the second part begins. */
function split(order, low, high, a, b) {
  let axis = 0, least = 0, extent = -1;
  for (let k = 0; k < 3; k += 1) {
    let begin = Infinity, end = -Infinity;
    for (let i = a; i < b; i += 1) {
      const middle = low[3 * order[i] + k] + high[3 * order[i] + k];
      if (middle < begin) begin = middle;
      if (middle > end) end = middle;
    }
    if (end - begin > extent) [axis, least, extent] = [k, begin, end - begin];
  }
  const half = a + ((b - a) >> 1);
  if (extent <= 1e-12) return half;
  const scale = BINS / extent;
  const binOf = (item) => Math.min(BINS - 1, Math.trunc((low[3 * item + axis] + high[3 * item + axis] - least) * scale));
  fill(order, low, high, a, b, binOf);
  const border = cheapest();
  let i = a, j = b - 1;
  while (i <= j) {
    if (binOf(order[i]) <= border) {
      i += 1;
    } else {
      swap(order, i, j);
      j -= 1;
    }
  }
  return a < i && i < b ? i : half;
}

/** Writes each bin's number of items and box. */
function fill(order, low, high, a, b, binOf) {
  for (let r = 0; r < 7 * BINS; r += 7) emptied(bins, r);
  for (let i = a; i < b; i += 1) {
    const item = order[i], r = 7 * binOf(item);
    bins[r] += 1;
    for (let k = 0; k < 3; k += 1) {
      if (low[3 * item + k] < bins[r + 1 + k]) bins[r + 1 + k] = low[3 * item + k];
      if (high[3 * item + k] > bins[r + 4 + k]) bins[r + 4 + k] = high[3 * item + k];
    }
  }
}

/** Returns the last bin of the first part where the summed cost of both parts is least. */
function cheapest() {
  emptied(box, 0);
  for (let b = BINS - 1; b > 0; b -= 1) after[b] = grown(b);
  emptied(box, 0);
  let best = Infinity, border = 0;
  for (let b = 0; b < BINS - 1; b += 1) {
    const cost = grown(b) + after[b + 1];
    if (cost < best) [best, border] = [cost, b];
  }
  return border;
}

function emptied(values, at) {
  for (let k = 0; k < 7; k += 1) values[at + k] = k === 0 ? 0 : k < 4 ? Infinity : -Infinity;
}

/** Returns items × surface of `box` after taking in a bin. */
function grown(bin) {
  box[0] += bins[7 * bin];
  for (let k = 1; k < 4; k += 1) {
    box[k] = Math.min(box[k], bins[7 * bin + k]);
    box[k + 3] = Math.max(box[k + 3], bins[7 * bin + k + 3]);
  }
  if (box[0] === 0) return 0;
  const x = box[4] - box[1], y = box[5] - box[2], z = box[6] - box[3];
  return box[0] * (x * y + y * z + z * x);
}
