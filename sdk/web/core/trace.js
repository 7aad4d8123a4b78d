// The exposure machine run on a recorded trace of one view: samples in, events out, as `openslot exposure` prints them.
import { must } from "./errors.js";
import { Exposure, judge } from "./exposure.js";
import { Playback } from "./playback.js";
import { EventKind, WhyNot, nameOf } from "./words.js";

const LONGEST_MS = 24 * 3_600_000;
const NUMBERS = {
  t_ms: [0, 2 ** 53], visible_fraction: [0, 1], coverage: [0, 1], angle_deg: [0, 180], screen_angle_deg: [0, 180],
  on_screen_fraction: [0, 1], position_ms: [0, LONGEST_MS], length_ms: [Number.MIN_VALUE, LONGEST_MS],
};
const FLAGS = ["front_facing", "focused", "idle"];
const NEEDED = ["t_ms", "visible_fraction", "coverage", "angle_deg", "screen_angle_deg", "front_facing"];

/** Returns the events of a trace's parsed lines by one whole profile; throws `wire.invalid` that names the line. */
export function replay(lines, profile) {
  const exposure = new Exposure(profile), playback = new Playback(profile.max_gap_ms), told = [];
  let run = null;
  const end = (reason) => {
    told.push({ event: "end", t_ms: run.last, continuous_ms: run.last - run.start, reason });
  };
  lines.forEach((line, number) => {
    const sample = parsed(line, number, profile), { t_ms } = sample, news = exposure.sample(t_ms, sample);
    const now = exposure.start[0] < 0 ? null : { number: exposure.runs, start: exposure.start[0], last: exposure.last[0] };
    if (run && now?.number !== run.number) {
      const waited = t_ms - run.last, held = waited >= 0 && waited <= profile.max_gap_ms;
      end(held ? nameOf(WhyNot, judge(sample, profile)) : "gap");
    }
    run = now;
    if (news & (1 << EventKind.VIEWABLE)) told.push({ event: "viewable", t_ms });
    if (sample.length_ms === undefined) return;
    for (const kind of playback.sample(exposure.isLooking(t_ms), exposure.went_on_ms, sample.position_ms, sample.length_ms)) {
      const reason = kind === EventKind.PAUSE ? { reason: nameOf(WhyNot, exposure.why) } : {};
      told.push({ event: nameOf(EventKind, kind), t_ms, ...reason });
    }
  });
  if (run) end("end_of_trace");
  const [longest_continuous_ms, cumulative_ms] = exposure.times(0);
  told.push({ event: "summary", viewable: exposure.viewable, longest_continuous_ms, cumulative_ms });
  return told;
}

/** Returns a line as a sample. What it would cover with nothing before it a trace does not say: that is in proportion. */
function parsed(line, number, profile) {
  const good = (holds, where) => must(holds, "wire.invalid", "not a sample", `lines/${number}/${where}`);
  good(line !== null && typeof line === "object" && !Array.isArray(line), "");
  for (const name of NEEDED) good(Object.hasOwn(line, name), name);
  for (const [name, value] of Object.entries(line)) {
    const range = NUMBERS[name];
    good(range ? typeof value === "number" && value >= range[0] && value <= range[1] : FLAGS.includes(name) && typeof value === "boolean", name);
  }
  good(("position_ms" in line) === ("length_ms" in line) && !(line.position_ms > line.length_ms), "length_ms");
  const { visible_fraction: seen, coverage } = line, on_screen_fraction = line.on_screen_fraction ?? (seen ? 1 : 0);
  const largeEnough = coverage * on_screen_fraction >= profile.coverage_min * seen;
  const why = seen < on_screen_fraction && largeEnough ? WhyNot.OBSTRUCTED : WhyNot.COUNTED;
  return { focused: true, idle: false, ...line, on_screen_fraction, why };
}
