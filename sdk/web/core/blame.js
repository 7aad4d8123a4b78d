// What hides an ad, by name: asked for single pairs, by those who can move a pillar.
import { HIDDEN, collect, total } from "./shadows.js";

const LEAST = 1e-6; // share of a surface that is worth a name

/** Returns [{ placement, hidden_fraction }] of what alone hides some of a surface from a camera, the worst first. */
export function hiders(measure, camera, surface, occluders) {
  const found = new Map(), { beam, local, room } = measure;
  for (const facet of surface.facets) {
    if (!beam.cast(camera, facet, room.work)) continue;
    beam.aim(camera, facet, surface.owner);
    for (const placement of occluders.placements) {
      if (!placement.hides || (placement.owner >= 0 && placement.owner === surface.owner)) continue;
      room.shadows = 0;
      local.move(beam, placement);
      const state = collect(placement.shape, local, 0, room);
      if (state !== HIDDEN) total(beam, room);
      const chart = state === HIDDEN ? beam.area[0] : room.sum[0];
      if (chart > 0) found.set(placement, (found.get(placement) ?? 0) + chart * facet.share);
    }
  }
  const worth = [...found].filter(([, share]) => share > LEAST).sort((one, other) => other[1] - one[1]);
  return worth.map(([placement, share]) => ({ placement, hidden_fraction: Math.min(share, 1) }));
}
