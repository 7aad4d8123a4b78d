// From samples to exposures: a gate asked at every sample, and a timer that runs while it holds.
//
//     sample passes   → the run goes on, or a new one starts here
//     sample fails    → the run ended at its last passing sample
//     gap > max_gap   → the same, and a passing sample starts a new run
//     time goes back  → the same
//
// A run lasts from its first to its last passing sample. Three conditions are timed so: the profile's gate, and its gate
// with half and with all of the surface in the place of its own share. Nothing here reads a clock.
import { anglePasses } from "./gates.js";
import { EventKind, WhyNot } from "./words.js";

const NOT_RUNNING = -1;
/** Shares of the surface that are timed beside the profile's own. */
export const HALF = 0.5, FULL = 1;
const LANES = 3; // the profile's gate, half, full

/** One view, a viewer looking at a placement, judged by one whole profile. */
export class Exposure {
  constructor(profile) {
    this.profile = profile;
    this.rendered = this.viewable = false;
    this.furthest = 0;
    this.why = WhyNot.UNMEASURABLE;
    this.start = new Float64Array(LANES).fill(NOT_RUNNING);
    this.last = new Float64Array(LANES);
    this.longest = new Float64Array(LANES);
    this.finished = new Float64Array(LANES);
    /** How many runs of the profile's gate have begun. */
    this.runs = 0;
    /** By how much the run went on with the last sample. */
    this.went_on_ms = 0;
    this.sums = new Float64Array(3); // figure × time: fraction, coverage, angle
  }

  /** Takes a sample; returns a bit 1 << kind for each of RENDERED and VIEWABLE that it brought about. */
  sample(t_ms, sample) {
    const { profile, sums } = this, why = (this.why = judge(sample, profile)), share = sample.visible_fraction;
    const holds =
      why !== WhyNot.UNMEASURABLE && sample.focused && !sample.idle && sample.front_facing &&
      sample.coverage >= profile.coverage_min && anglePasses(profile, sample.angle_deg, sample.screen_angle_deg);
    const went_on_ms = (this.went_on_ms = this.#time(0, t_ms, why === WhyNot.COUNTED));
    this.#time(1, t_ms, holds && share >= HALF);
    this.#time(2, t_ms, holds && share >= FULL);
    if (went_on_ms > 0) {
      sums[0] += share * went_on_ms;
      sums[1] += sample.coverage * went_on_ms;
      sums[2] += (profile.angle_basis === "screen" ? sample.screen_angle_deg : sample.angle_deg) * went_on_ms;
    }
    const reached = why === WhyNot.COUNTED ? WhyNot.TOO_SHORT : why % WhyNot.UNMEASURABLE;
    if (reached > this.furthest) this.furthest = reached;
    return this.#news(sample);
  }

  /** Returns the event of `kind`, with the figures so far; an END says why, others COUNTED. */
  event(kind, t_ms) {
    const { longest, sums, viewable, furthest } = this, times = Array.from(longest, (_, lane) => this.times(lane));
    const lasted = times[0][1] > 0 ? times[0][1] : 1;
    const counted = viewable || kind !== EventKind.END;
    return {
      kind,
      at_ms: rounded(t_ms),
      continuous_ms: rounded(times[0][0]),
      cumulative_ms: rounded(times[0][1]),
      half_continuous_ms: rounded(times[1][0]),
      half_cumulative_ms: rounded(times[1][1]),
      full_continuous_ms: rounded(times[2][0]),
      full_cumulative_ms: rounded(times[2][1]),
      visible_fraction: sums[0] / lasted,
      coverage: sums[1] / lasted,
      angle_deg: sums[2] / lasted,
      why: counted ? WhyNot.COUNTED : furthest || WhyNot.UNMEASURABLE,
    };
  }

  /** Whether the run is on and its last sample recent. */
  isLooking(t_ms) {
    return this.start[0] !== NOT_RUNNING && t_ms - this.last[0] <= this.profile.max_gap_ms;
  }

  /** Returns the longest run and all runs together of a lane, in ms, the one that is on included. */
  times(lane) {
    const current = this.start[lane] === NOT_RUNNING ? 0 : this.last[lane] - this.start[lane];
    return [Math.max(this.longest[lane], current), this.finished[lane] + current];
  }

  /** Takes a sample of one lane; returns by how much its run went on. */
  #time(lane, t_ms, passes) {
    const { start, last } = this, waited = t_ms - last[lane], runs = start[lane] !== NOT_RUNNING;
    const goesOn = passes && runs && waited >= 0 && waited <= this.profile.max_gap_ms;
    if (runs && !goesOn) {
      const lasted = last[lane] - start[lane];
      this.longest[lane] = Math.max(this.longest[lane], lasted);
      this.finished[lane] += lasted;
      start[lane] = NOT_RUNNING;
    }
    if (passes && !goesOn) {
      start[lane] = t_ms;
      if (lane === 0) this.runs += 1;
    }
    if (passes) last[lane] = t_ms;
    return goesOn ? waited : 0;
  }

  #news(sample) {
    let news = 0;
    if (!this.rendered && sample.visible_fraction > 0 && sample.front_facing) {
      this.rendered = true;
      news |= 1 << EventKind.RENDERED;
    }
    if (this.viewable || this.start[0] === NOT_RUNNING) return news;
    const current = this.last[0] - this.start[0];
    const lasted = this.profile.cumulative ? this.finished[0] + current : current;
    if (lasted < this.profile.duration_ms) return news;
    this.viewable = true;
    return news | (1 << EventKind.VIEWABLE);
  }
}

/** Returns COUNTED where a sample passes the profile's gate, else the first reason why not. */
export function judge(sample, profile) {
  if (Number.isNaN(sample.visible_fraction + sample.coverage + sample.angle_deg)) return WhyNot.UNMEASURABLE;
  if (sample.on_screen_fraction <= 0 && sample.why <= WhyNot.VIEWPORT) return WhyNot.VIEWPORT;
  if (!sample.front_facing) return WhyNot.BACK_FACING;
  if (sample.on_screen_fraction < profile.visible_fraction_min) return WhyNot.CLIPPED;
  if (!anglePasses(profile, sample.angle_deg, sample.screen_angle_deg)) return WhyNot.TOO_OBLIQUE;
  const tiny = sample.coverage < profile.coverage_min;
  // what is too little only because something hides the rest is not too small
  if (tiny && sample.why !== WhyNot.OBSTRUCTED) return WhyNot.TOO_SMALL;
  if (tiny || sample.visible_fraction < profile.visible_fraction_min) return WhyNot.OBSTRUCTED;
  if (!sample.focused) return WhyNot.NO_WINDOW_FOCUS;
  return sample.idle ? WhyNot.IDLE : WhyNot.COUNTED;
}

/** Returns the nearest whole number, of two the even one, as the reference rounds. */
function rounded(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 ? up - 1 : up;
}
