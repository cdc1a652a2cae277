import { randomUUID } from 'node:crypto'
import { type Fault, MAX_FAULTS } from '../errors.js'
import { createDrops, type Drop, follow } from './drop.js'
import { createFit, type Sendable } from './fit.js'
import { createMask } from './mask.js'
import { createNames, foldName } from './names.js'
import type { Rules, Who } from './rules.js'
import { REDACTED } from './scan.js'
import { BRANCHES, type Entry, type Fields, isEntry, KNOWN, LEVELS, schemaFaults } from './schema.js'
import { contextStamps, stampActor, stampContext } from './stamp.js'
import { createWalk, type Deed, FORBIDDEN } from './walk.js'

/** One thing done to one field. `log_index` as in a fault. */
export interface Note {
  log_index: number | null
  deed: Deed
  field: string
}

const MAX_NOTES = 100

/** Levels of nesting beyond which nothing is walked: cut off or refused, as `OVERSIZE` says, also where the plan has no say. */
const CEILING = 100

const NO_NOTES: readonly Note[] = Object.freeze([])

/** The way of an entry: check, drop and redact, stamp, fit, serialise. One for the whole program; it holds one request at a time. */
export interface Way {
  begin(who: Who, escapes: boolean): void
  /** Takes one entry along. @returns its JSON as sent; undefined where it is filtered or at fault */
  go(raw: unknown, index: number | null): string | undefined
  readonly faults: Fault[]
  readonly notes: readonly Note[]
  readonly counts: { filtered: number; trimmed: number; redacted: number }
  /** Whether nothing is known to be wrong but environments, also of what is not listed among the faults. */
  environmentAlone(): boolean
}

export function createWay(rules: Rules, newId: () => string = randomUUID): Way {
  const { environment, limits } = rules
  const mask = createMask(rules.redactPatterns, rules.redactFields, limits.maxLogBytes)
  // No answer may hold a key, whatever entries may: of names in faults it is masked without being asked for.
  const maskSpoken = createMask(['logtrail-key', ...rules.redactPatterns], rules.redactFields)
  const wellMasked = (by: typeof mask) => (name: string) => by(name.toWellFormed())
  const names = createNames(rules.redactFields, wellMasked(mask), wellMasked(maskSpoken), limits.maxLogBytes)
  const fold = (name: string) => names.facts(name).folded
  const stamped = rules.stampContext.map(name => `context.${name}`)
  if (rules.stampActor === 'merge') stamped.push('actor.id')
  const drops = rules.dropFields.length + stamped.length === 0 ? undefined : createDrops(rules.dropFields, stamped)
  const dropOf: Record<string, Drop | undefined> = {}
  for (const name of KNOWN) dropOf[name] = drops && follow(drops, foldName(name))
  const folds = new Set([...KNOWN].map(foldName))
  // Names of Logtrail's own are masked only if named whole: an ending such as `data` is not meant for `metadata`.
  const secret = new Set(rules.redactFields.map(foldName))
  const hidden = new Set([...BRANCHES, 'message', 'tags'].filter(name => secret.has(foldName(name))))
  // `actor.x` and `Actor` could be read as `actor`: what folds to a known name is never let through beside it.
  const allowed = new Set(rules.allowFields.filter(name => !folds.has(foldName(name.split('.', 1)[0]!))))
  const lowest = rules.minLevel === 'none' ? LEVELS.length : LEVELS.indexOf(rules.minLevel)
  const rank: Record<string, number> = Object.fromEntries(LEVELS.map((level, at) => [level, at]))
  const stampedNames = new Set(rules.stampContext.map(foldName))
  const stampsContext = rules.stampContext.length > 0
  const stampsId = rules.stampContext.includes('entry_id')
  const fit = createFit({
    limits,
    oversize: rules.oversize,
    stamped: rules.stampContext,
    mask,
    speak: names.speak,
    fault,
    note: field => note('trimmed', field)
  })

  let faults: Fault[] = []
  let notes: Note[] = NO_NOTES as Note[]
  let counts = { filtered: 0, trimmed: 0, redacted: 0 }
  let environmentAlone = true
  let at: number | null = null
  let userId: string | undefined
  let stamps: Fields = {}

  function list(field: string, message: string): void {
    if (faults.length <= MAX_FAULTS) faults.push({ log_index: at, field, message })
  }

  function fault(field: string, message: string): void {
    environmentAlone = false
    list(field, message)
  }

  function faultAt(field: () => string, message: string): void {
    environmentAlone = false
    if (faults.length <= MAX_FAULTS) list(field(), message)
  }

  function note(deed: Deed, field: () => string): void {
    if (notes === NO_NOTES) notes = []
    if (notes.length < MAX_NOTES) notes.push({ log_index: at, deed, field: field() })
  }

  const walk = createWalk({
    names,
    mask,
    ceiling: Math.max(CEILING, limits.maxDepth),
    cuts: rules.oversize === 'trim',
    maxDepth: limits.maxDepth,
    fault: faultAt,
    note
  })

  function forbid(name: string): void {
    faultAt(() => names.speak(name), FORBIDDEN)
  }

  function hide(name: string, value: unknown): unknown {
    walk.check(name, value)
    return value === REDACTED ? value : walk.hide(name)
  }

  /** Members that Logtrail's schema does not name: checked, then kept if allowed, else left behind. */
  function others(raw: Fields): Fields | undefined {
    let kept: Fields | undefined
    for (const name in raw) {
      if (KNOWN.has(name)) continue
      const facts = names.facts(name)
      if (facts.forbidden) {
        forbid(name)
      } else if (allowed.has(name) && !(drops && follow(drops, facts.folded)?.here)) {
        kept ??= {}
        kept[name] = facts.redact
          ? hide(name, raw[name])
          : walk.other(name, raw[name], drops && follow(drops, facts.folded))
      } else {
        walk.check(name, raw[name])
        note('removed', () => names.speak(name))
      }
    }
    return kept
  }

  function checkEnvironment(raw: Fields): void {
    const given = raw.environment
    if (given === undefined || given === environment) return
    if (typeof given !== 'string') environmentAlone = false
    list('environment', `must be ${environment}, the server's own, or be left out`)
  }

  /** Everything that is wrong with `raw`, once it is known that something is. */
  function refuse(raw: unknown): void {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      fault('entry', 'must be a JSON object')
      return
    }
    const fields = raw as Fields
    schemaFaults(fields, (field, message) => {
      if (field !== 'environment') fault(field, message)
    })
    checkEnvironment(fields)
    checkNames(fields)
  }

  /** Looks for names and nesting that are refused, where nothing will be sent. */
  function checkNames(fields: Fields): void {
    for (const name in fields) {
      if (names.facts(name).forbidden) forbid(name)
      walk.check(name, fields[name])
    }
  }

  function member<T>(name: string, value: T | undefined): T | undefined {
    if (value === undefined) return undefined
    if (hidden.has(name)) {
      const mask = hide(name, value)
      // A text can say that it was masked; in the place of an object it would be no entry.
      return name === 'message' ? (mask as T) : undefined
    }
    const drop = dropOf[name]
    if (!drop?.here) return walk.member(name, value, drop) as T
    walk.check(name, value)
    note('dropped', () => name)
    return undefined
  }

  function actorOf(raw: Entry): Fields | undefined {
    if (raw.actor === undefined && userId === undefined) return undefined
    if (rules.stampActor === 'replace' || (rules.stampActor === 'off' && userId === undefined)) {
      if (raw.actor !== undefined) walk.check('actor', raw.actor)
      return stampActor(rules.stampActor, undefined, userId, fold)
    }
    return stampActor(rules.stampActor, member('actor', raw.actor), userId, fold)
  }

  function contextOf(raw: Entry): Fields | undefined {
    const claimed = member('context', raw.context)
    if (!stampsContext) return claimed
    if (stampsId) stamps.entry_id = newId()
    return stampContext(claimed, stamps, stampedNames, fold)
  }

  function go(raw: unknown, index: number | null): string | undefined {
    at = index
    walk.begin()
    if (!isEntry(raw) || (raw.environment !== undefined && raw.environment !== environment)) {
      refuse(raw)
      return undefined
    }
    const before = faults.length
    if (rank[raw.level]! < lowest) {
      checkNames(raw as unknown as Fields)
      if (faults.length === before) counts.filtered++
      return undefined
    }
    const entry: Sendable = {
      action: walk.member('action', raw.action) as string,
      level: raw.level,
      clientTimestamp: raw.clientTimestamp,
      message: member('message', raw.message),
      environment: member('environment', raw.environment),
      actor: actorOf(raw),
      target: member('target', raw.target),
      context: contextOf(raw),
      metadata: member('metadata', raw.metadata),
      tags: member('tags', raw.tags)
    }
    const more = others(raw as unknown as Fields)
    if (more !== undefined) Object.assign(entry, more)
    // Nothing may be serialised that has not passed every check: depth alone could overflow the stack.
    if (faults.length > before) return undefined
    if (walk.redacted() > 0) counts.redacted++
    const sent = fit(entry, walk.tooDeep(), walk.beyond())
    if (sent.trimmed) counts.trimmed++
    return sent.json
  }

  return {
    begin(who, escapes) {
      faults = []
      notes = NO_NOTES as Note[]
      counts = { filtered: 0, trimmed: 0, redacted: 0 }
      environmentAlone = true
      userId = who.userId === undefined ? undefined : who.userId.toWellFormed()
      walk.escapes(escapes)
      if (stampsContext) stamps = contextStamps(rules.stampContext, who)
    },
    go,
    get faults() {
      return faults
    },
    get notes() {
      return notes
    },
    get counts() {
      return counts
    },
    environmentAlone: () => environmentAlone
  }
}
