// The ad surfaces to be measured: flat quads, and curved ones as triangles; the Python twin is `openslot_view.surfaces`.
//
// A facet has its own chart: corner 0 is the origin, corner 1 lies at (1, 0), the last corner at (0, 1). Equal areas in
// the chart are equal areas of the ad, so a share of the chart is a share of the creative's pixels.
import { must } from "./errors.js";
import { checkMesh, shapeOf } from "./shapes.js";

const FLATNESS = 1e-3; // of the longer edge: what is still called a plane
const DEGENERATE = 1e-9; // area over the square of the longer edge
const LARGEST = 1e12;

/** Returns the flat surface of four corners [x, y, z], counter-clockwise from the front; throws `slot.degenerate`. */
export function quadSurface(corners, { twoSided = false, owner = -1 } = {}) {
  return surface([facet(corners, 4)], twoSided, owner);
}

/** Returns the curved surface of a mesh, wound counter-clockwise from the front; triangles without area are left out. */
export function meshSurface(positions, index, { twoSided = false, owner = -1 } = {}) {
  checkMesh(positions, index);
  const facets = [];
  for (let t = 0; t + 2 < index.length; t += 3) {
    const corners = [0, 1, 2, 2].map((k) => Array.from(positions.subarray(3 * index[t + k], 3 * index[t + k] + 3)));
    if (hasArea(minus(corners[1], corners[0]), minus(corners[2], corners[0]))) facets.push(facet(corners, 3));
  }
  must(facets.length, "slot.degenerate", "no area", "triangles");
  const made = surface(facets, twoSided, owner);
  if (facets.length > 1) made.own = shapeOf(positions, index);
  return made;
}

/** Returns the surface of a slot record: its corners stand about its pose, seen from the front. */
export function slotSurface({ size, pose, two_sided: twoSided = false }, owner = -1) {
  const [x, y, z, w] = unit(pose.rotation);
  const across = [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)].map((part) => (part * size[0]) / 2);
  const up = [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)].map((part) => (part * size[1]) / 2);
  const corner = (a, b) => pose.position.map((middle, k) => middle + a * across[k] + b * up[k]);
  return quadSurface([corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)], { twoSided, owner });
}

function surface(facets, twoSided, owner) {
  let area = 0;
  const centre = [0, 0, 0], mean = [0, 0, 0];
  for (const each of facets) {
    area += each.area;
    for (let k = 0; k < 3; k += 1) {
      centre[k] += each.area * each.middle[k];
      mean[k] += each.area * each.normal[k];
    }
  }
  for (let k = 0; k < 3; k += 1) centre[k] /= area;
  // a closed surface has no side it faces; it then counts by its first facet
  const facing = unit(Math.hypot(...mean) > 1e-9 * area ? mean : [...facets[0].normal]);
  let radius = 0;
  for (const each of facets) {
    each.share = each.unitArea / area;
    for (let i = 0; i < 12; i += 3) {
      radius = Math.max(radius, Math.hypot(...minus(each.corners.subarray(i, i + 3), centre)));
    }
  }
  const curved = facets.length > 1;
  return { facets, twoSided, owner, curved, radius, centre: new Float64Array(centre), facing: new Float64Array(facing), own: null };
}

function facet(corners, sides) {
  const flat = Float64Array.from(corners.flat());
  must(flat.length === 12 && flat.every((part) => Math.abs(part) <= LARGEST), "slot.degenerate", "not finite", "corners");
  const first = corners[0], edgeU = minus(corners[1], first), edgeV = minus(corners[3], first);
  must(hasArea(edgeU, edgeV), "slot.degenerate", "no area", "corners");
  const across = cross(edgeU, edgeV), unitArea = Math.hypot(...across);
  const normal = across.map((part) => part / unitArea), opposite = minus(corners[2], first);
  const size = Math.max(Math.hypot(...edgeU), Math.hypot(...edgeV));
  must(Math.abs(dot(opposite, normal)) <= FLATNESS * size, "slot.degenerate", "not flat", "corners");
  const far = sides === 3 ? [0, 1] : farCorner(opposite, edgeU, edgeV, normal, unitArea);
  const middle = sides === 3 ? centroid(corners[0], corners[1], corners[2]) : quadCentroid(corners, far);
  return {
    corners: flat,
    sides,
    outline: Float64Array.of(0, 0, 1, 0, ...far, 0, 1),
    edgeU: new Float64Array(edgeU),
    edgeV: new Float64Array(edgeV),
    dualU: new Float64Array(cross(edgeV, normal).map((part) => part / unitArea)),
    dualV: new Float64Array(cross(normal, edgeU).map((part) => part / unitArea)),
    normal: new Float64Array(normal),
    middle,
    /** Of the chart's unit square, in m². */
    unitArea,
    area: unitArea * (sides === 3 ? 0.5 : (far[0] + far[1]) / 2),
    /** The part of the whole surface that the chart's unit square is. */
    share: 1,
  };
}

/** Returns the third corner of a quad in its chart; of a parallelogram exactly (1, 1). */
function farCorner(opposite, edgeU, edgeV, normal, unitArea) {
  const u = dot(cross(opposite, edgeV), normal) / unitArea, v = dot(cross(edgeU, opposite), normal) / unitArea;
  must(u > 0 && v > 0 && u + v > 1, "slot.degenerate", "not convex", "corners");
  return Math.abs(u - 1) > 1e-12 || Math.abs(v - 1) > 1e-12 ? [u, v] : [1, 1];
}

/** Returns the centroid of a quad's area, by its two triangles. */
function quadCentroid([a, b, c, d], [u, v]) {
  const first = centroid(a, b, c), second = centroid(a, c, d);
  return first.map((part, k) => (part * v + second[k] * u) / (u + v));
}

function centroid(a, b, c) {
  return a.map((part, k) => (part + b[k] + c[k]) / 3);
}

function hasArea(edgeU, edgeV) {
  return Math.hypot(...cross(edgeU, edgeV)) > DEGENERATE * Math.max(dot(edgeU, edgeU), dot(edgeV, edgeV));
}

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(vector) {
  const length = Math.hypot(...vector);
  return vector.map((part) => part / length);
}
