/** Of what a pace below three quarters of a full budget takes: so the budget gains one request while four or five are sent. */
const PLATEAU = 1.25
/** How fast the pace rises as the budget drains: see below. */
const SLOPE = 4

export interface Pace {
  /** Milliseconds in which the budget gains one request. */
  interval: number
  /** 0 for an empty budget, 1 for a full one. */
  fullness: number
  /** Longest pace, milliseconds. */
  longest: number
}

/**
 * How far two requests are kept apart where the second is not full: nothing with a full budget, then more in a straight
 * line, up to a little over one interval. A full batch is not kept, and none that comes longer than this after the last.
 *
 * Whatever the load, that settles where requests leave one interval apart, with three quarters of the budget left: enough
 * for a burst of full batches, and for retries. The line must rise fast: on the free plan ten quick requests are enough to
 * keep batches 83 ms apart, in which 600 entries a second fill one.
 *
 * It must end above one interval, or a budget that was drained would stay so. Each tenth above it is a tenth of a request
 * gained with each that is sent, and a tenth of an interval that somebody waits. A quarter leaves a fifth of the plan to
 * retries and to what is full; an empty budget of the free plan is back where it settles after some three minutes of load
 * without a pause, and after one minute where there is one.
 */
export function paceOf({ interval, fullness, longest }: Pace): number {
  return Math.min(longest, interval * Math.min(PLATEAU, SLOPE * (1 - fullness)))
}
