// A coarse picture of what is hidden, 32 × 32 bits: it never answers, it only tells when to ask for the exact area.
const SIZE = 32;

/** Sets the bits whose middles lie in the convex polygon points[begin … end) (`stride` numbers each), counter-clockwise. */
export function paint(points, stride, begin, end, bits, span) {
  let low = points[stride * begin + 1], high = low;
  for (let i = begin + 1; i < end; i += 1) {
    const y = points[stride * i + 1];
    if (y < low) low = y;
    if (y > high) high = y;
  }
  const first = Math.max(0, Math.ceil(low * SIZE - 0.5)), last = Math.min(SIZE - 1, Math.floor(high * SIZE - 0.5));
  if (last < first) return;
  spans(points, stride, begin, end, first, last, span);
  for (let row = first; row <= last; row += 1) {
    const left = Math.ceil(span[row] - 0.5), right = Math.min(SIZE - 1, Math.floor(span[SIZE + row] - 0.5));
    if (left <= right) bits[row] |= (-1 >>> (SIZE - 1 - right + left)) << left;
  }
}

/** Whether `mask` sets every bit that `wanted` does. */
export function isFull(wanted, mask) {
  for (let row = 0; row < SIZE; row += 1) if (wanted[row] & ~mask[row]) return false;
  return true;
}

/** Writes to `span` where the middles of the rows enter and leave the polygon, in bits. */
function spans(points, stride, begin, end, first, last, span) {
  for (let row = first; row <= last; row += 1) {
    span[row] = 0;
    span[SIZE + row] = SIZE;
  }
  for (let i = begin; i < end; i += 1) {
    const a = stride * i, b = stride * (i + 1 < end ? i + 1 : begin), rise = points[b + 1] - points[a + 1];
    if (Math.abs(rise) < 1e-14) continue;
    const slope = (points[b] - points[a]) / rise, start = (points[a] - points[a + 1] * slope) * SIZE + 0.5 * slope;
    for (let row = first; row <= last; row += 1) {
      const x = start + slope * row;
      if (rise < 0) {
        if (x > span[row]) span[row] = x;
      } else if (x < span[SIZE + row]) {
        span[SIZE + row] = x;
      }
    }
  }
}
