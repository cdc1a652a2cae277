import { createHash } from 'node:crypto'

/** What Logtrail keeps apart. An entry is of its key's. */
export const ENVIRONMENTS = ['development', 'staging', 'production'] as const
export type Environment = (typeof ENVIRONMENTS)[number]
/** `wo` may ingest, `ro` may query, `rw` may both. */
export const KEY_TYPES = ['wo', 'ro', 'rw'] as const
export type KeyType = (typeof KEY_TYPES)[number]

/** What may be shown of a key: to people, in metrics and in logs. */
export interface KeyInfo {
  environment: Environment
  type: KeyType
  /** 8 hex digits of a digest, to tell two keys apart; no part of the key. */
  fingerprint: string
}

export interface KeyPolicy {
  /** `LOGTRAIL_ENVIRONMENT`, where it is set. */
  environment?: string | undefined
  /** `LOGTRAIL_ALLOW_READ_WRITE_KEY` */
  allowReadWrite: boolean
  nodeEnv?: string | undefined
}

const FORM = new RegExp(`^lt_(${ENVIRONMENTS.join('|')})_(${KEY_TYPES.join('|')})_([A-Za-z0-9_-]*)$`)
/** Logtrail names no length: what is shorter than this can only be a slip of the hand. */
const MIN_RANDOM = 6
const MAX_RANDOM = 500
/** 72 bits at 6 bits a character. A shorter random part may have been made up, and could be found in any text by chance. */
const LONG_ENOUGH = 12

/** Words that stand alone between `_` and `-`, or are long enough never to come up by chance in a random part. */
const STAND_IN_WORD = /(^|[_-])(your|insert|replace|paste|todo|x{3,})([_-]|$)/i
const STAND_IN_ANYWHERE =
  /change[_-]?me|replace[_-]?me|example|placeholder|your[_-]?(api[_-]?)?key|key[_-]?here|insert[_-]?key|paste[_-]?key/i
/** The whole of it: the form's own words, or one character over and over that nobody takes for a random one. */
const STAND_IN_WHOLE = /^(random|(my[_-]?)?(api|secret)[_-]?key|[x_-]+|[0_-]+)$/i
/** Characters that no key has, where documentation leaves something out: `<key>`, `{random}`, `****`, `...`. */
const LEFT_OUT = /[<>${}[\]\u2026]|\*{2}|\.{2}/

const MADE_UP_WORD = /(^|[_-])(test|dummy|sample|fake|demo)|(test|dummy|sample){2}/i

/**
 * @throws Error that says what is wrong without any part of the key, also where what was given is no key at all
 */
export function parseKey(key: string): KeyInfo {
  if (key.length === 0) throw new Error('is empty')
  const match = FORM.exec(key)
  const random = match?.[3]
  if (isPlaceholder(random ?? key)) {
    throw new Error('is a placeholder: put in the write-only key from the Logtrail dashboard')
  }
  if (match === null || random === undefined) {
    throw new Error(
      `is no Logtrail key: these read lt_{environment}_{type}_{random}, the environment one of ${ENVIRONMENTS.join(', ')} and the type one of ${KEY_TYPES.join(', ')}`
    )
  }
  if (random.length < MIN_RANDOM || random.length > MAX_RANDOM) {
    throw new Error('is no whole Logtrail key: its random part has the wrong length')
  }
  return { environment: match[1] as Environment, type: match[2] as KeyType, fingerprint: fingerprint(key) }
}

/**
 * The part of a key that makes it secret, for finding it where it must not be; the whole key where that part is so short
 * that other texts hold it, too. The key has passed `parseKey`.
 */
export function secretPart(key: string): string {
  const random = FORM.exec(key)?.[3]
  return random !== undefined && random.length >= LONG_ENOUGH ? random : key
}

/** Whether a key that has passed `parseKey` seems to be a test's: short, of hardly any variety, or it says so. */
export function seemsMadeUp(key: string): boolean {
  const random = FORM.exec(key)?.[3] ?? ''
  return random.length < LONG_ENOUGH || new Set(random.toLowerCase()).size <= 3 || MADE_UP_WORD.test(random)
}

/** One key, or two during a rotation (current, next), as a variable or a file holds them. Repetitions count once. */
export function splitKeys(text: string): string[] {
  return [...new Set(text.split(/[\s,\uFEFF]+/).filter(key => key.length > 0))]
}

/** Whether keys that are well formed may be used here. Faults stop the start; neither they nor warnings hold a key. */
export function checkKeyPolicy(keys: readonly KeyInfo[], policy: KeyPolicy): { faults: string[]; warnings: string[] } {
  const faults = new Set<string>()
  const warnings = new Set<string>()
  if (keys.length === 0) faults.add('there is no key')
  if (keys.length > 2) faults.add('at most two keys make sense, the current one and the next')
  if (new Set(keys.map(key => key.environment)).size > 1) {
    faults.add('both keys of a rotation must be of one environment')
  }
  for (const { environment, type } of keys) {
    if (type === 'ro') faults.add('a read-only key (ro) cannot send logs: use a write-only one (wo)')
    if (type === 'rw') {
      if (environment === 'production' && !policy.allowReadWrite) {
        faults.add(
          'a read-write key (rw) of production could also read all logs: use a write-only one (wo), or set LOGTRAIL_ALLOW_READ_WRITE_KEY=true'
        )
      } else {
        warnings.add('the key may also read logs (rw): a write-only one (wo) is enough here')
      }
    }
    if (policy.environment !== undefined && policy.environment !== environment) {
      faults.add(`the key is for ${environment}, but LOGTRAIL_ENVIRONMENT is ${shown(policy.environment)}`)
    } else if (
      environment === 'development' &&
      policy.nodeEnv === 'production' &&
      policy.environment !== 'development'
    ) {
      faults.add(
        'the key is for development, but NODE_ENV is production: use a key of production, or set LOGTRAIL_ENVIRONMENT=development'
      )
    }
  }
  return { faults: [...faults], warnings: [...warnings] }
}

function isPlaceholder(text: string): boolean {
  return [LEFT_OUT, STAND_IN_WORD, STAND_IN_ANYWHERE, STAND_IN_WHOLE].some(form => form.test(text))
}

/** A configured environment is shown only where it is one: it might be a key put into the wrong variable. */
function shown(environment: string): string {
  return (ENVIRONMENTS as readonly string[]).includes(environment) ? environment : 'something else'
}

function fingerprint(key: string): string {
  return createHash('sha256').update('logtrail-bff key fingerprint\0').update(key).digest('hex').slice(0, 8)
}
