// Answers questions about parts of sdk/web/core that no vector asks: one JSON object a line in, one a line out.
import { createInterface } from "node:readline";

import { hiders } from "../../sdk/web/core/blame.js";
import { Camera } from "../../sdk/web/core/cameras.js";
import { paint } from "../../sdk/web/core/mask.js";
import { Occluders } from "../../sdk/web/core/occluders.js";
import { bend, growShape, shapeOf } from "../../sdk/web/core/shapes.js";
import { quadSurface } from "../../sdk/web/core/surfaces.js";
import { Measure } from "../../sdk/web/core/visibility.js";

const HERE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];

const columns = (rows) => HERE.map((_, k) => rows.map((row) => row[k])).flat();
const floats = (rows) => Float32Array.from(rows.flat());

function seen(measure, camera, surface, occluders) {
  measure.look(camera, surface);
  const { visible_fraction, coverage } = measure.ask(camera, surface, occluders);
  return { visible_fraction, coverage };
}

const AREAS = {
  /** The coarse picture of a polygon. */
  mask(points) {
    const bits = new Int32Array(32);
    paint(Float64Array.from(points.flat()), 2, 0, points.length, bits, new Float64Array(64));
    return Array.from(new Uint32Array(bits.buffer));
  },

  /** What is seen behind placed shapes: as they stand first, then step by step of `steps` (placement, matrix or null). */
  placed({ view, projection, corners, shapes, placements, steps, names = [] }) {
    const camera = new Camera().set(columns(view), columns(projection), 1000, 1000);
    const surface = quadSurface(corners, { twoSided: true, owner: 0 }), measure = new Measure(), occluders = new Occluders();
    const made = shapes.map(({ vertices, triangles, oneSided }) => shapeOf(floats(vertices), triangles.flat(), { oneSided }));
    const stand = placements.map(({ shape, matrix, owner }, k) => occluders.add(made[shape], columns(matrix), { owner, name: names[k] }));
    const found = [seen(measure, camera, surface, occluders)];
    for (const [which, matrix] of steps) {
      if (matrix) occluders.move(stand[which], columns(matrix));
      else occluders.remove(stand[which]);
      found.push(seen(measure, camera, surface, occluders));
    }
    const told = hiders(measure, camera, surface, occluders).map((each) => [each.placement.name, each.hidden_fraction]);
    return { found, hiders: told };
  },

  /** What is seen behind a mesh that bends from one row of positions to the next. */
  bent({ view, projection, corners, positions, triangles }) {
    const camera = new Camera().set(columns(view), columns(projection), 1000, 1000);
    const surface = quadSurface(corners, { twoSided: true }), measure = new Measure(), occluders = new Occluders();
    const shape = shapeOf(floats(positions[0]), triangles.flat(), { deforming: true });
    const placement = occluders.add(shape, columns(HERE));
    return positions.map((each) => {
      bend(shape, floats(each));
      occluders.move(placement, columns(HERE));
      return seen(measure, camera, surface, occluders);
    });
  },

  /** The pauses that growing a shape of so many triangles makes, and the longest of them in ms. */
  pauses(count) {
    const positions = Float32Array.from({ length: 9 * count }, (_, i) => Math.sin(i * 12.9898) * 50);
    const work = growShape(positions, null);
    let pauses = 0;
    while (!work.next().done) pauses += 1;
    return pauses;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { area, input } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ ok: AREAS[area](input) })}\n`);
}
