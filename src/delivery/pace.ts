export interface Pace {
  /** BATCH_MAX_WAIT, milliseconds: how long a batch that is not full waits while the budget is rich. */
  maxWait: number
  /** Milliseconds in which the budget gains one request. */
  interval: number
  /** 0 for an empty budget, 1 for a full one. */
  fullness: number
  /** Longest wait, milliseconds. */
  longest: number
}

/**
 * How long a batch that is not full waits for company: from `maxWait` with a full budget up to four intervals with an empty
 * one, in a straight line. (A full batch never waits.)
 *
 * Whatever the load, that settles where a batch waits one interval, with three quarters of the budget left: enough for a
 * burst of full batches, and for retries. Four and not two, because the line must rise fast: on the free plan ten quick
 * requests are enough to make batches wait for 83 ms, in which 600 entries a second fill one.
 */
export function holdFor({ maxWait, interval, fullness, longest }: Pace): number {
  return Math.max(maxWait, Math.min(longest, 4 * interval * (1 - fullness)))
}
