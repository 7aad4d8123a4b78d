// The exact area of the union of one beam's shadows.
//
// By Green's theorem the area is half the integral of x dy − y dx over the union's boundary, which is made of those parts
// of the shadows' edges that lie inside no other shadow. Each edge is clipped against each shadow whose box it meets
// (Cyrus and Beck 1978); the covered stretches are merged; the gaps are the boundary. Shadow number i is taken as grown
// outwards by i × GROWTH, so that coincident edges never stand in one place, whichever way rounding falls.
import { screenCross } from "./beams.js";

/** In chart units: a hundred times what rounding moves a shadow's corner. */
const GROWTH = 1e-11;
/** Area over the square of the longest edge below which a shadow is a needle, whose tips growing moves far. */
export const THIN = 1e-3;

const WIDE = 16; // a shadow over more cells of the grid is not filed but always asked
const SLACK = 1e-6; // farther than growing moves anything
const GAPS = [701, 301, 132, 57, 23, 10, 4, 1]; // Ciura's
const PRIME = 2654435761 | 0;

/** Writes the area of the union of `room.shadows`, in the chart and as a share of the viewport, to `room.sum`. */
export function unionArea(screen, room) {
  const { table, start, alive, exposed, edge, sum } = room;
  dropContained(room);
  markExposed(room);
  const cells = lay(room);
  for (let i = 0; i < room.shadows; i += 1) {
    if (!alive[i]) continue;
    const begin = start[i], end = start[i + 1];
    for (let e = begin; e < end; e += 1) {
      if (!exposed[e]) continue;
      const a = 5 * e, b = 5 * (e + 1 < end ? e + 1 : begin);
      edge[0] = table[a];
      edge[1] = table[a + 1];
      edge[2] = table[b];
      edge[3] = table[b + 1];
      edge[4] = table[a + 2];
      edge[5] = table[a + 3];
      edge[6] = i * GROWTH;
      const stretches = covered(i, cells, room);
      if (stretches >= 0) addGaps(edge, stretches, screen, room.interval, sum);
    }
  }
  sum[0] /= 2;
  sum[1] = Math.abs(sum[1]) / 8;
}

/** Sorts the first `count` intervals by their begins, in place (Shell 1959). */
export function sortIntervals(interval, count) {
  for (let g = 0; g < GAPS.length; g += 1) {
    const gap = GAPS[g];
    for (let i = gap; i < count; i += 1) {
      const begin = interval[2 * i], end = interval[2 * i + 1];
      let j = i;
      for (; j >= gap && interval[2 * (j - gap)] > begin; j -= gap) {
        interval[2 * j] = interval[2 * (j - gap)];
        interval[2 * j + 1] = interval[2 * (j - gap) + 1];
      }
      interval[2 * j] = begin;
      interval[2 * j + 1] = end;
    }
  }
}

/** Adds the boundary integrals over what the intervals leave of the edge. */
function addGaps(edge, count, screen, interval, sum) {
  sortIntervals(interval, count);
  interval[2 * count] = interval[2 * count + 1] = 1;
  const x = edge[0], y = edge[1], dx = edge[2] - x, dy = edge[3] - y;
  let reached = 0;
  for (let k = 0; k <= count; k += 1) {
    const from = interval[2 * k];
    if (from > reached) {
      const ax = x + dx * reached, ay = y + dy * reached, bx = x + dx * from, by = y + dy * from;
      sum[0] += ax * by - ay * bx;
      sum[1] += screenCross(screen, ax, ay, bx, by);
    }
    if (interval[2 * k + 1] > reached) reached = interval[2 * k + 1];
  }
}

/** Writes the stretches of shadow i's edge inside other shadows to `room.interval`; −1 if it is all inside one. */
function covered(i, cells, room) {
  const { edge, loose, cell, member, box } = room;
  let count = 0;
  for (let k = 0; k < room.looseOnes; k += 1) {
    count = stretch(loose[k], i, count, room);
    if (count < 0) return -1;
  }
  if (cells === 0) return count;
  const left = cellOf(Math.min(edge[0], edge[2]), cells), right = cellOf(Math.max(edge[0], edge[2]), cells);
  const low = cellOf(Math.min(edge[1], edge[3]), cells), high = cellOf(Math.max(edge[1], edge[3]), cells);
  for (let y = low; y <= high; y += 1) {
    for (let x = left; x <= right; x += 1) {
      for (let k = cell[y * cells + x]; k < cell[y * cells + x + 1]; k += 1) {
        const j = member[k];
        // a shadow in several cells is asked in the first that it shares with the edge
        if (x !== Math.max(left, cellOf(box[4 * j], cells)) || y !== Math.max(low, cellOf(box[4 * j + 2], cells))) continue;
        count = stretch(j, i, count, room);
        if (count < 0) return -1;
      }
    }
  }
  return count;
}

/** Appends the stretch of shadow i's edge inside shadow j, both grown; returns the new count, −1 if it is all. */
function stretch(j, i, count, room) {
  const { edge, table, start, interval } = room;
  if (j === i || areApart(edge, room.box, 4 * j)) return count;
  const ax = edge[0], ay = edge[1], bx = edge[2], by = edge[3];
  let enter = 0, leave = 1;
  for (let k = 5 * start[j]; k < 5 * start[j + 1]; k += 5) {
    const nx = table[k + 2], ny = table[k + 3];
    const grown = table[k + 4] + j * GROWTH - edge[6] * (edge[4] * nx + edge[5] * ny);
    const first = nx * ax + ny * ay + grown, last = nx * bx + ny * by + grown;
    if (first <= 0) enter = last > 0 ? Math.max(enter, first / (first - last)) : 1;
    else if (last < 0) leave = Math.min(leave, first / (first - last));
    if (leave <= enter) return count;
  }
  if (room.thin[j]) {
    // growing moved the ends of a needle: nothing beyond them counts
    const dx = bx - ax, dy = by - ay, scale = 1 / Math.max(dx * dx + dy * dy, 1e-300);
    let least = Infinity, most = -Infinity;
    for (let k = 5 * start[j]; k < 5 * start[j + 1]; k += 5) {
      const along = ((table[k] - ax) * dx + (table[k + 1] - ay) * dy) * scale;
      if (along < least) least = along;
      if (along > most) most = along;
    }
    enter = Math.max(enter, least);
    leave = Math.min(leave, most);
  }
  if (enter <= 0 && leave >= 1) return -1;
  interval[2 * count] = enter;
  interval[2 * count + 1] = leave;
  return leave > enter ? count + 1 : count;
}

/** Whether the edge's box is farther from a shadow's than growing moves either. */
function areApart(edge, box, b) {
  if (box[b] > Math.max(edge[0], edge[2]) + SLACK || box[b + 1] < Math.min(edge[0], edge[2]) - SLACK) return true;
  return box[b + 2] > Math.max(edge[1], edge[3]) + SLACK || box[b + 3] < Math.min(edge[1], edge[3]) - SLACK;
}

const largest = new Int32Array(4);

/** Clears `alive` of shadows that lie within one of the four largest. */
function dropContained(room) {
  const { shadows, alive, area } = room;
  alive.fill(1, 0, shadows);
  if (shadows <= 6) return;
  largest.fill(-1);
  for (let i = 0; i < shadows; i += 1) {
    let k = 4;
    while (k > 0 && (largest[k - 1] < 0 || area[i] > area[largest[k - 1]])) k -= 1;
    if (k === 4) continue;
    for (let m = 3; m > k; m -= 1) largest[m] = largest[m - 1];
    largest[k] = i;
  }
  for (let c = 0; c < 4; c += 1) {
    const outer = largest[c];
    for (let i = 0; i < shadows; i += 1) {
      if (alive[outer] && alive[i] && i !== outer && contains(outer, i, room)) alive[i] = 0;
    }
  }
}

function contains(outer, inner, { box, table, start }) {
  const a = 4 * outer, b = 4 * inner;
  if (box[b] < box[a] || box[b + 1] > box[a + 1] || box[b + 2] < box[a + 2] || box[b + 3] > box[a + 3]) return false;
  for (let k = 5 * start[outer]; k < 5 * start[outer + 1]; k += 5) {
    for (let e = 5 * start[inner]; e < 5 * start[inner + 1]; e += 5) {
      if (table[k + 2] * table[e] + table[k + 3] * table[e + 1] + table[k + 4] < 1e-10) return false;
    }
  }
  return true;
}

/** Clears `exposed` of edges behind which a neighbour of the same orientation goes on: they are inside the union. */
function markExposed(room) {
  const { shadows, triangle, neighbour, start, source, exposed, flipped, thin } = room;
  let size = 16;
  while (size < 2 * shadows) size *= 2;
  if (room.hashed.length < size) room.hashed = new Int32Array(size);
  const { hashed } = room, mask = size - 1;
  hashed.fill(-1, 0, size);
  for (let i = 0; i < shadows; i += 1) {
    let k = Math.imul(triangle[i], PRIME) & mask;
    while (hashed[k] >= 0) k = (k + 1) & mask;
    hashed[k] = i;
  }
  for (let i = 0; i < shadows; i += 1) {
    for (let e = start[i]; e < start[i + 1]; e += 1) {
      const wanted = source[e] < 3 ? neighbour[3 * i + source[e]] : -1;
      exposed[e] = 1;
      if (wanted < 0) continue;
      let k = Math.imul(wanted, PRIME) & mask;
      while (hashed[k] >= 0 && triangle[hashed[k]] !== wanted) k = (k + 1) & mask;
      const other = hashed[k];
      // growing moves a needle's edges against its neighbour's
      if (other >= 0 && flipped[other] === flipped[i] && !thin[i] && !thin[other]) exposed[e] = 0;
    }
  }
}

/** Returns the row or column that a position lies in; what is outside 0 … 1 belongs to the outermost. */
function cellOf(position, cells) {
  return Math.min(cells - 1, Math.max(0, Math.trunc(position * cells)));
}

/** Files the shadows that are alive in a grid; returns cells a side, 0 for none, where all are in `room.loose`. */
function lay(room) {
  const { shadows, alive, cell, loose } = room;
  const cells = shadows <= 24 ? 0 : shadows <= 200 ? 8 : 16;
  cell.fill(0, 0, cells * cells + 1);
  room.looseOnes = 0;
  for (let i = 0; i < shadows; i += 1) {
    if (!alive[i] || (cells && file(i, cells, room, 1))) continue;
    loose[room.looseOnes] = i;
    room.looseOnes += 1;
  }
  // from counts to ends; filing then walks each end down to its cell's start
  for (let c = 0; c < cells * cells; c += 1) cell[c + 1] += cell[c];
  if (cells && room.member.length < cell[cells * cells]) room.member = new Int32Array(2 * cell[cells * cells]);
  for (let i = shadows - 1; cells && i >= 0; i -= 1) if (alive[i]) file(i, cells, room, -1);
  return cells;
}

/** Counts shadow i in its cells (`step` 1) or enters it there (−1); false when they are too many. */
function file(i, cells, { box, cell, member }, step) {
  const left = cellOf(box[4 * i], cells), right = cellOf(box[4 * i + 1], cells);
  const low = cellOf(box[4 * i + 2], cells), high = cellOf(box[4 * i + 3], cells);
  if ((right - left + 1) * (high - low + 1) > WIDE) return false;
  for (let y = low; y <= high; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const c = y * cells + x;
      cell[c] += step;
      if (step < 0) member[cell[c]] = i;
    }
  }
  return true;
}
