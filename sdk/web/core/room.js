// Room for the shadows of one beam, used again for every beam; it grows and never shrinks.
//
// Edge e has table[5 e …] = x, y of its begin and its inward line nx, ny, c, and source[e] = the triangle's edge 0, 1, 2, or
// 3 for a cut. Shadow i owns the edges start[i] … start[i + 1] and has the box x low, x high, y low, y high.
const FIRST_SHADOWS = 512;
const MOST_EDGES = 14; // of one shadow: a triangle cut by the facet, the near plane and ten borders
/** Shadows of one beam; a pair with more is UNMEASURABLE. */
export const MOST_SHADOWS = 1 << 18;

/** Working memory. */
export class Room {
  constructor() {
    this.shadows = 0;
    /** Polygons while they are clipped: two halves of 24 corners of 8 numbers. */
    this.work = [new Float64Array(192), new Float64Array(192)];
    this.half = 0;
    this.planes = new Float64Array(64);
    this.worldPlanes = new Float64Array(64);
    this.stack = new Int32Array(256);
    this.worldStack = new Int32Array(256);
    /** 32 × 32 bits: the outline, and what is hidden of it. */
    this.wanted = new Int32Array(32);
    this.mask = new Int32Array(32);
    this.span = new Float64Array(64);
    this.cell = new Int32Array(257);
    this.edge = new Float64Array(7);
    this.sum = new Float64Array(2);
    this.capacity = this.edges = 0;
    this.hashed = new Int32Array(0);
    this.member = new Int32Array(0);
    this.hold(FIRST_SHADOWS, 4 * FIRST_SHADOWS);
  }

  /** Makes room for one more shadow; false when there are too many. */
  oneMore() {
    if (this.shadows >= MOST_SHADOWS) return false;
    const edges = this.start[this.shadows] + MOST_EDGES;
    if (this.shadows + 1 >= this.capacity) this.hold(2 * this.capacity, this.edges);
    if (edges > this.edges) this.hold(this.capacity, 2 * this.edges);
    return true;
  }

  hold(shadows, edges) {
    const grown = (name, kind, length) => {
      const values = new kind(length);
      if (this[name]) values.set(this[name]);
      this[name] = values;
    };
    if (shadows > this.capacity) {
      grown("start", Int32Array, shadows + 1);
      grown("box", Float64Array, 4 * shadows);
      grown("area", Float64Array, shadows);
      grown("triangle", Int32Array, shadows);
      grown("neighbour", Int32Array, 3 * shadows);
      for (const name of ["flipped", "alive", "thin"]) grown(name, Uint8Array, shadows);
      grown("loose", Int32Array, shadows);
      grown("interval", Float64Array, 2 * shadows + 4);
      this.capacity = shadows;
    }
    if (edges > this.edges) {
      grown("table", Float64Array, 5 * edges);
      for (const name of ["source", "exposed"]) grown(name, Uint8Array, edges);
      this.edges = edges;
    }
  }
}
