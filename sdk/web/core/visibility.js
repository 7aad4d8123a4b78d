// How much of an ad one camera sees: the cheap questions first, occluders for what passes them.
import { Beam } from "./beams.js";
import { Room } from "./room.js";
import { HIDDEN, OPEN, OVERFLOW, collect, total } from "./shadows.js";

const EXACT = 1e-9; // what is nearer to none or all than rounding is none or all
const HERE = { turn: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), back: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), at: new Float64Array(3) };

/** Measures pairs, one after the other, in memory of its own; nothing is allocated once it is warm. */
export class Measure {
  constructor() {
    this.room = new Room();
    this.beam = new Beam();
    this.local = new Beam();
    /** The figures of the pair that was looked at last; never NaN. */
    this.pair = {
      visible_fraction: 0.5, on_screen_fraction: 0.5, coverage: 0.5, drawn_coverage: 0.5, sight_cosine: 0.5,
      screen_cosine: 0.5, measured: false, seesBack: false, overflows: false,
    };
  }

  /** Writes what is on the camera's screen of a surface, with nothing before it, to `pair`, and returns that. */
  look(camera, surface) {
    const { pair, beam, room } = this;
    pair.visible_fraction = pair.on_screen_fraction = pair.coverage = pair.drawn_coverage = 0;
    pair.measured = pair.seesBack = pair.overflows = false;
    turn(camera, surface, pair);
    if (!isInView(camera, surface)) return pair;
    if (pair.sight_cosine <= 0 && !surface.twoSided && !surface.curved) {
      pair.seesBack = true;
      return pair;
    }
    let chart = 0, seen = 0;
    for (const facet of surface.facets) {
      if (!isDrawn(camera, surface, facet) || !beam.cast(camera, facet, room.work)) continue;
      chart += beam.area[0] * facet.share;
      seen += beam.area[1];
    }
    pair.on_screen_fraction = pair.visible_fraction = snapped(chart);
    pair.drawn_coverage = pair.coverage = pair.on_screen_fraction > 0 ? Math.min(seen, 1) : 0;
    return pair;
  }

  /** Writes what the occluders leave of the pair that was just looked at. */
  ask(camera, surface, occluders) {
    const { pair, beam, room } = this;
    let chart = 0, seen = 0;
    pair.measured = true;
    for (const facet of surface.facets) {
      if (!isDrawn(camera, surface, facet) || !beam.cast(camera, facet, room.work)) continue;
      beam.aim(camera, facet, surface.owner);
      const state = this.#collect(surface, occluders);
      if (state === OVERFLOW) {
        pair.overflows = true;
        return pair;
      }
      if (state === HIDDEN) continue;
      total(beam, room);
      chart += Math.max(beam.area[0] - room.sum[0], 0) * facet.share;
      seen += Math.max(beam.area[1] - room.sum[1], 0);
    }
    pair.visible_fraction = snapped(chart);
    pair.coverage = pair.visible_fraction > 0 ? Math.min(seen, 1) : 0;
    return pair;
  }

  #collect(surface, occluders) {
    const { beam, local, room } = this;
    room.shadows = 0;
    let offset = 0;
    if (surface.own) {
      local.move(beam, HERE);
      const state = collect(surface.own, local, 0, room);
      if (state !== OPEN) return state;
      offset = surface.own.count;
    }
    return occluders.collect(beam, local, room, offset);
  }
}

/** Writes the cosines of the surface's normal with the line to the eye and with the screen's normal. */
function turn(camera, { facing, centre }, pair) {
  const { eye, toward } = camera;
  const x = eye[0] - centre[0], y = eye[1] - centre[1], z = eye[2] - centre[2], squared = x * x + y * y + z * z;
  pair.screen_cosine = cosine(facing[0] * toward[0] + facing[1] * toward[1] + facing[2] * toward[2]);
  if (camera.orthographic) pair.sight_cosine = pair.screen_cosine;
  else if (squared === 0) pair.sight_cosine = 0;
  else pair.sight_cosine = cosine((facing[0] * x + facing[1] * y + facing[2] * z) / Math.sqrt(squared));
}

function cosine(value) {
  return Math.min(Math.max(value, -1), 1);
}

/** Whether the surface's bounding sphere is not wholly outside one plane of the frustum. */
function isInView({ eye, planes }, { centre, radius }) {
  const x = centre[0] - eye[0], y = centre[1] - eye[1], z = centre[2] - eye[2];
  for (let k = 0; k < 24; k += 4) {
    if (planes[k] * x + planes[k + 1] * y + planes[k + 2] * z + planes[k + 3] < -radius) return false;
  }
  return true;
}

/** Whether the facet's front is seen; of a flat surface that is known, of a two-sided one not asked. */
function isDrawn(camera, surface, { corners, normal }) {
  if (!surface.curved || surface.twoSided) return true;
  let side = 0;
  for (let c = 0; c < 3; c += 1) {
    side += (camera.orthographic ? camera.toward[c] : camera.eye[c] - corners[c]) * normal[c];
  }
  return side > 0;
}

function snapped(share) {
  return share < EXACT ? 0 : share > 1 - EXACT ? 1 : share;
}
