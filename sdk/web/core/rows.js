// The estimate for beams with very many shadows: rows of merged intervals across the part on screen.
import { sortIntervals } from "./union.js";

const ROWS = 256;

/** Writes the area of the union of `room.shadows`, in the chart and as a share of the viewport, to `room.sum`. */
export function rowArea({ outline, sides, screen }, room) {
  const { box, shadows, sum, loose, interval } = room;
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < sides; i += 1) {
    low = Math.min(low, outline[2 * i + 1]);
    high = Math.max(high, outline[2 * i + 1]);
  }
  const order = new Uint32Array(shadows).map((_, i) => i).sort((a, b) => box[4 * a + 2] - box[4 * b + 2]);
  const density = Math.abs(determinant(screen)) / 8, height = (high - low) / ROWS;
  let entered = 0, active = 0;
  for (let row = 0; row < ROWS; row += 1) {
    const v = low + (row + 0.5) * height;
    for (; entered < shadows && box[4 * order[entered] + 2] <= v; entered += 1) {
      loose[active] = order[entered];
      active += 1;
    }
    const count = cut(active, v, room);
    active = room.looseOnes;
    sortIntervals(interval, count);
    addMerged(count, v, screen, interval, height, density * height, sum);
  }
}

function determinant(m) {
  const a = m[0] * (m[4] * m[8] - m[5] * m[7]), b = m[1] * (m[3] * m[8] - m[5] * m[6]), c = m[2] * (m[3] * m[7] - m[4] * m[6]);
  return a - b + c;
}

/** Writes the intervals of the active shadows at `v` and returns their number; those that stay active are `room.looseOnes`. */
function cut(active, v, room) {
  const { loose, box, start, table, interval } = room;
  let count = 0;
  room.looseOnes = 0;
  for (let k = 0; k < active; k += 1) {
    const i = loose[k];
    if (box[4 * i + 3] < v) continue;
    loose[room.looseOnes] = i;
    room.looseOnes += 1;
    let left = -Infinity, right = Infinity;
    for (let e = 5 * start[i]; e < 5 * start[i + 1]; e += 5) {
      const nx = table[e + 2], level = table[e + 3] * v + table[e + 4];
      if (nx > 1e-14) left = Math.max(left, -level / nx);
      else if (nx < -1e-14) right = Math.min(right, -level / nx);
    }
    if (left >= right) continue;
    interval[2 * count] = left;
    interval[2 * count + 1] = right;
    count += 1;
  }
  return count;
}

/** Adds the length of the union of sorted intervals, and the same weighted with the screen's density. */
function addMerged(count, v, screen, interval, height, weight, sum) {
  const start = screen[7] * v + screen[8];
  let reached = -Infinity;
  for (let k = 0; k < count; k += 1) {
    const left = Math.max(interval[2 * k], reached), right = interval[2 * k + 1];
    if (right <= left) continue;
    const a = Math.max(start + screen[6] * left, 1e-12), b = Math.max(start + screen[6] * right, 1e-12);
    sum[0] += (right - left) * height;
    sum[1] += (((right - left) * (a + b)) / (a * b) ** 2) * weight;
    reached = right;
  }
}
