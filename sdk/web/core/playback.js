// Videos: how much of one a view has seen play, and what is told of that; spec/measurement.md, Videos.
import { EventKind } from "./words.js";

const UNKNOWN = -1;
const SHARES = [0.25, 0.5, 0.75]; // of the length, from FIRST_QUARTILE to THIRD_QUARTILE
const TOLD = SHARES.length + 2; // START … COMPLETE

/** The video of one view; `maxGapMs` is how long its position may stand still before that is a pause. */
export class Playback {
  constructor(maxGapMs) {
    Object.assign(this, { maxGapMs, at_ms: UNKNOWN, unused_ms: 0, seen_ms: 0, told: 0, paused: false });
  }

  /** Takes a sample; returns the kinds of event to tell. `looking` is whether it passes, `wentOnMs` by how much the run went on. */
  sample(looking, wentOnMs, position_ms, length_ms) {
    this.#add(wentOnMs, position_ms, length_ms);
    const news = [];
    for (const due = this.#due(length_ms); this.told < due; this.told += 1) news.push(EventKind.START + this.told);
    const underWay = this.told > 0 && this.told < TOLD;
    if (underWay && !this.paused && (!looking || this.unused_ms > this.maxGapMs)) {
      this.paused = true;
      news.push(EventKind.PAUSE);
    }
    return news;
  }

  /** Adds what was seen to play since the last sample, around the end of a loop too. */
  #add(wentOnMs, position_ms, length_ms) {
    const wentOn = wentOnMs > 0 && this.at_ms !== UNKNOWN, time_ms = wentOn ? this.unused_ms + wentOnMs : 0;
    const moved_ms = (((position_ms - this.at_ms) % length_ms) + length_ms) % length_ms;
    const played_ms = wentOn ? Math.min(moved_ms, time_ms) : 0;
    this.seen_ms += played_ms;
    this.unused_ms = played_ms > 0 ? 0 : time_ms;
    this.at_ms = position_ms;
  }

  /** Returns how many of START … COMPLETE are true of what was seen. */
  #due(length_ms) {
    if (this.seen_ms <= 0) return 0;
    const quarters = SHARES.filter((share) => this.seen_ms >= share * length_ms).length;
    // whoever watches from the first sample to the last misses less than a gap at either end
    const whole = this.seen_ms >= Math.max(length_ms - this.maxGapMs, 0.75 * length_ms);
    return 1 + quarters + (whole && quarters === SHARES.length ? 1 : 0);
  }
}
