// The kinds of event and the reasons why a view did not count, as spec/columns.md numbers them.

/** What happened to a view. */
export const EventKind = {
  RENDERED: 1, VIEWABLE: 2, END: 3, START: 4, FIRST_QUARTILE: 5, MIDPOINT: 6, THIRD_QUARTILE: 7, COMPLETE: 8, PAUSE: 9,
};

/** Why a view did not count: the furthest gate it reached, in this order. */
export const WhyNot = {
  COUNTED: 0, VIEWPORT: 1, BACK_FACING: 2, CLIPPED: 3, TOO_OBLIQUE: 4, TOO_SMALL: 5, OBSTRUCTED: 6, TOO_SHORT: 7,
  NO_WINDOW_FOCUS: 8, IDLE: 9, UNMEASURABLE: 10,
};

/** Returns the name of a number in one of the tables above, in small letters. */
export function nameOf(table, number) {
  return Object.keys(table).find((name) => table[name] === number).toLowerCase();
}
