export interface Take {
  allowed: boolean
  limit: number
  remaining: number
  /** Unix time in seconds at which the bucket is full again. */
  reset: number
  /** Whole seconds until one more request is let in; 0 when this one was. */
  retryAfter: number
}

export interface Bucket {
  take(): Take
}

/** A token bucket that holds one minute's worth and refills evenly. `now` is milliseconds. */
export function createBucket(perMinute: number, now: () => number): Bucket {
  let tokens = perMinute
  let last = now()
  return {
    take() {
      const time = now()
      tokens = Math.min(perMinute, tokens + (Math.max(0, time - last) / 60_000) * perMinute)
      last = time
      const allowed = tokens >= 1
      if (allowed) tokens--
      return {
        allowed,
        limit: perMinute,
        remaining: Math.floor(tokens),
        reset: Math.ceil((time + ((perMinute - tokens) / perMinute) * 60_000) / 1_000),
        retryAfter: allowed ? 0 : Math.max(1, Math.ceil(((1 - tokens) / perMinute) * 60))
      }
    }
  }
}
