// Refusals, as spec/errors.md names them.

/** A refusal: a stable code, what is wrong in this case, and where. */
export class OpenSlotError extends Error {
  constructor(code, detail = "", { where = "", retryAfterMs = 0 } = {}) {
    super(`${code}${where && ` at ${where}`}${detail && `: ${detail}`}`);
    this.name = "OpenSlotError";
    Object.assign(this, { code, detail, where, retryAfterMs });
  }
}

/** Throws a refusal unless `good`. */
export function must(good, code, detail, where) {
  if (!good) throw new OpenSlotError(code, detail, { where });
}
