import type { Config } from '../config.js'
import type { Rules } from '../entry/rules.js'
import type { KeyPolicy } from '../logtrail/key.js'

/** How entries are treated. */
export function rulesOf(config: Config): Rules {
  const split = config.RATE_LIMIT_LOGS_MAX === 0 ? Number.POSITIVE_INFINITY : config.RATE_LIMIT_LOGS_MAX
  return {
    limits: {
      maxLogBytes: config.LOGTRAIL_MAX_LOG_BYTES,
      maxDepth: config.LOGTRAIL_MAX_DEPTH,
      maxTags: config.LOGTRAIL_MAX_TAGS
    },
    maxEntries: config.DELIVERY === 'direct' ? config.LOGTRAIL_MAX_BATCH : split,
    // where it is not set it has become the key's
    environment: config.LOGTRAIL_ENVIRONMENT!,
    stampActor: config.STAMP_ACTOR,
    stampContext: config.STAMP_CONTEXT,
    minLevel: config.MIN_LEVEL,
    redactFields: config.REDACT_FIELDS,
    redactPatterns: config.REDACT_PATTERNS,
    allowFields: config.ALLOW_FIELDS,
    dropFields: config.DROP_FIELDS,
    oversize: config.OVERSIZE
  }
}

/** What a key must be, also one that comes later by the key file. */
export function keyPolicyOf(config: Config): KeyPolicy {
  return {
    environment: config.LOGTRAIL_ENVIRONMENT,
    allowReadWrite: config.LOGTRAIL_ALLOW_READ_WRITE_KEY,
    nodeEnv: config.nodeEnv
  }
}

/** Whether who has no session is let in, under the limits of those. */
export function letsAnonymousIn(config: Config): boolean {
  return config.ANONYMOUS === 'allow' || config.SESSION_MODE === 'none'
}
