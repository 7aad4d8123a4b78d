// Answers conformance vectors: one JSON object a line in, one a line out, as tests/conformance/drive.py asks.
import { createInterface } from "node:readline";

import { Camera, DEPTHS } from "./core/cameras.js";
import { OpenSlotError, must } from "./core/errors.js";
import { Sight, gateOf, wholeProfile } from "./core/gates.js";
import { Occluders } from "./core/occluders.js";
import { shapeOf } from "./core/shapes.js";
import { meshSurface, quadSurface } from "./core/surfaces.js";
import { replay } from "./core/trace.js";
import { Measure } from "./core/visibility.js";
import { PROFILES } from "./profiles.js";

const HERE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
/** Without a profile all of a surface is wanted and every pair measured. */
const ALL = { ...wholeProfile({ visible_fraction_min: 1 }), askAll: true };

function profileOf(name) {
  must(Object.hasOwn(PROFILES, name), "profile.unknown", name, "profile");
  return wholeProfile(PROFILES[name]);
}

function visibility(given) {
  const cameras = (given.cameras ?? [needed(given, "camera")]).map(cameraOf);
  must(cameras.length, "camera.invalid", "none", "cameras");
  const profile = given.profile === undefined ? ALL : profileOf(given.profile);
  const surface = surfaceOf(needed(given, "slot")), occluders = occludersOf(given.occluders);
  const measure = new Measure(), sight = new Sight();
  for (const camera of cameras) {
    const pair = measure.look(camera, surface), gate = gateOf(pair, profile);
    if (pair.on_screen_fraction > 0 && (gate === 0 || profile.askAll)) measure.ask(camera, surface, occluders);
    sight.take(pair, profile, gate);
  }
  const { visible_fraction, on_screen_fraction, coverage, angle_deg, screen_angle_deg, front_facing, why } = sight;
  return { visible_fraction, on_screen_fraction, coverage, angle_deg, screen_angle_deg, front_facing, why };
}

function cameraOf(given) {
  const view = needed(given, "camera_from_world"), projection = needed(given, "clip_from_camera");
  const viewport = needed(given, "viewport_px"), depth = DEPTHS[needed(given, "depth")] ?? NaN;
  must(viewport.length === 2, "camera.invalid", "not two numbers", "viewport_px");
  return new Camera().set(columns(view), columns(projection), ...viewport, depth);
}

/** Returns a matrix of rows column by column; what is none is left for the camera to refuse. */
function columns(rows) {
  const flat = Array.isArray(rows) ? rows.flat() : [];
  return flat.length === 16 ? HERE.map((_, k) => flat[4 * (k % 4) + (k >> 2)]) : flat;
}

function surfaceOf({ corners, vertices, triangles, two_sided: twoSided = false, owner = -1 }) {
  if (corners !== undefined) {
    must(Array.isArray(corners) && corners.length === 4, "slot.degenerate", "not four corners", "corners");
    return quadSurface(corners, { twoSided, owner });
  }
  return meshSurface(Float64Array.from(vertices.flat()), indexOf(triangles), { twoSided, owner });
}

/** Returns the triangles as shapes, one for each owner, for a shape is one thing. */
function occludersOf({ vertices = [], triangles = [], one_sided: oneSided = false, owner = -1 } = {}) {
  must(vertices.every((each) => each.length === 3), "geometry.invalid", "not three numbers", "vertices");
  const index = indexOf(triangles), count = index.length / 3, positions = Float64Array.from(vertices.flat());
  const each = (values) => {
    const many = Array.isArray(values) ? values : new Array(count).fill(values);
    must(many.length === count && many.every((one) => Number.isInteger(Number(one))), "geometry.invalid", "one or one each", "owner");
    return many;
  };
  const owners = each(owner), sides = each(oneSided), occluders = new Occluders();
  shapeOf(positions, index);
  for (const one of new Set(owners)) {
    const rows = owners.flatMap((whose, row) => (whose === one ? [row] : []));
    const part = Uint32Array.from(rows.flatMap((row) => [...index.subarray(3 * row, 3 * row + 3)]));
    occluders.add(shapeOf(positions, part, { oneSided: rows.map((row) => sides[row]) }), HERE, { owner: one });
  }
  return occluders;
}

function indexOf(triangles) {
  const flat = triangles.flat(), whole = triangles.every((each) => each.length === 3) && flat.every(Number.isInteger);
  must(whole && flat.every((vertex) => vertex >= 0), "geometry.invalid", "not three indices each", "triangles");
  return Uint32Array.from(flat);
}

function needed(given, name) {
  must(given?.[name] !== undefined, "wire.invalid", "missing", name);
  return given[name];
}

const AREAS = {
  visibility,
  exposure: ({ lines, profile }) => replay(lines, profileOf(profile)),
};

function answer({ area, input }) {
  try {
    return { ok: AREAS[area](input) };
  } catch (error) {
    if (error instanceof OpenSlotError) return { code: error.code };
    if (error instanceof TypeError) return { code: "wire.invalid" };
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(Object.hasOwn(AREAS, asked.area) ? answer(asked) : { code: "area.unknown" })}\n`);
}
