// What a sample must meet to count, by a profile of spec/profiles; bounds are asked in the order of `WhyNot`.
import { WhyNot } from "./words.js";

const DEFAULTS = {
  coverage_min: 0, angle_max_deg: 180, angle_inclusive: true, angle_basis: "screen", cumulative: false, max_gap_ms: 250,
  sample_ms: 100, idle_timeout_ms: 30_000,
};
const SHOWN = 100; // above every gate

/** Returns a profile with its defaults written out. */
export function wholeProfile(profile) {
  return { ...DEFAULTS, ...profile };
}

/** Whether the angle of the profile's basis is small enough. */
export function anglePasses(profile, sightDeg, screenDeg) {
  const angle = profile.angle_basis === "screen" ? screenDeg : sightDeg;
  return profile.angle_inclusive ? angle <= profile.angle_max_deg : angle < profile.angle_max_deg;
}

/** Returns the angle of a cosine. */
export function degrees(cosine) {
  return (Math.acos(cosine) * 180) / Math.PI;
}

/** Returns the first gate of `profile` that a pair fails without any occluder, or COUNTED; `leastShare` of its surface. */
export function gateOf(pair, profile, leastShare = profile.visible_fraction_min) {
  if (pair.on_screen_fraction === 0) return pair.seesBack ? WhyNot.BACK_FACING : WhyNot.VIEWPORT;
  if (pair.on_screen_fraction < leastShare) return WhyNot.CLIPPED;
  const cosine = profile.angle_basis === "screen" ? pair.screen_cosine : pair.sight_cosine;
  const angle = degrees(Math.abs(cosine));
  if (!anglePasses(profile, angle, angle)) return WhyNot.TOO_OBLIQUE;
  return pair.drawn_coverage < profile.coverage_min ? WhyNot.TOO_SMALL : WhyNot.COUNTED;
}

/** What one viewer sees of one slot as a profile has it: the better of their views. */
export class Sight {
  constructor() {
    this.begin();
  }

  /** Forgets the views before. */
  begin() {
    this.visible_fraction = this.on_screen_fraction = this.coverage = 0;
    this.sight_cosine = this.screen_cosine = 0;
    this.why = WhyNot.VIEWPORT;
    /** Whether occluders were asked; if not, fraction and coverage are upper bounds. */
    this.measured = false;
    this.reached = -1;
  }

  /** Takes a view, measured where `gate` (of `gateOf`) let it pass; keeps it if it is better than those before. */
  take(pair, profile, gate, leastShare = profile.visible_fraction_min) {
    const asked = pair.measured && (gate === WhyNot.COUNTED || profile.askAll === true);
    const fraction = asked ? pair.visible_fraction : pair.on_screen_fraction;
    const coverage = asked ? pair.coverage : pair.drawn_coverage;
    const obstructed = fraction < leastShare || coverage < profile.coverage_min;
    const why = pair.overflows && asked ? WhyNot.UNMEASURABLE : gate === WhyNot.COUNTED && obstructed ? WhyNot.OBSTRUCTED : gate;
    const reached = why === WhyNot.COUNTED ? 2 * SHOWN : (asked ? WhyNot.OBSTRUCTED : why) + (fraction > 0 ? SHOWN : 0);
    if (!this.#isBetter(reached, fraction, coverage)) return;
    this.visible_fraction = fraction;
    this.on_screen_fraction = pair.on_screen_fraction;
    this.coverage = coverage;
    this.sight_cosine = pair.sight_cosine;
    this.screen_cosine = pair.screen_cosine;
    this.why = why;
    this.measured = asked;
    this.reached = reached;
  }

  #isBetter(reached, fraction, coverage) {
    if (reached !== this.reached) return reached > this.reached;
    return fraction !== this.visible_fraction ? fraction > this.visible_fraction : coverage > this.coverage;
  }

  get front_facing() {
    return this.sight_cosine > 0;
  }

  get angle_deg() {
    return degrees(this.sight_cosine);
  }

  get screen_angle_deg() {
    return degrees(this.screen_cosine);
  }
}
