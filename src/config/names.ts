import { NAMES, takesFile } from './schema.js'

const KNOWN = [...NAMES, ...NAMES.filter(takesFile).map(name => `${name}_FILE`)]

/** The first words of this program's variables, but for LOG_: nearly every program has settings that begin so. */
const PREFIXES = new Set(NAMES.flatMap(name => /^[A-Z]+_/.exec(name) ?? []).filter(word => word !== 'LOG_'))

/**
 * Names of others that begin like ours and that nobody chose: X11's session manager, Heroku's second address of its Redis, and
 * what Kubernetes and Docker links set for services that happen to be called `logtrail`, `session` or `redis`
 * (`X_SERVICE_HOST`, `X_PORT`, `X_PORT_80_TCP_ADDR`, `X_ENV_PATH`, `X_NAME`).
 */
const OTHERS =
  /^SESSION_MANAGER$|^REDIS_TLS_URL$|_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)|^[A-Z]+_ENV_/
const LINK = /^(?:tcp|udp|sctp):\/\//
const LINK_NAME = /^\/[^/]+\/[^/]+$/

function isOfOthers(name: string, text: string): boolean {
  if (OTHERS.test(name)) return true
  return (name.endsWith('_PORT') && LINK.test(text)) || (name.endsWith('_NAME') && LINK_NAME.test(text))
}

/** Warnings about variables that are set and mean nothing: the name and the nearest known one, never the value. */
export function unknownNames(everything: Readonly<Record<string, string>>): string[] {
  const warnings: string[] = []
  for (const [name, text] of Object.entries(everything)) {
    if (KNOWN.includes(name) || !/^[A-Z][A-Z0-9_]{2,63}$/.test(name)) continue
    if (isOfOthers(name, text)) continue
    const { known, distance } = nearest(name, KNOWN)
    const slip = distance <= (known.length < 8 ? 1 : 2)
    const [prefix = ''] = /^[A-Z]+_/.exec(name) ?? []
    if (!slip && !PREFIXES.has(prefix)) continue
    // Far from all of them, it is one that begins alike that was meant, not one that happens to be as short.
    const meant = slip
      ? known
      : nearest(
          name,
          KNOWN.filter(one => one.startsWith(prefix))
        ).known
    warnings.push(`${name} is no variable of this program and has no effect: the nearest one is ${meant}`)
  }
  return warnings
}

function nearest(name: string, among: readonly string[]): { known: string; distance: number } {
  let best = { known: '', distance: Number.POSITIVE_INFINITY }
  for (const known of among) {
    // the distance is no less than that of the lengths: most names of a crowded environment are out at once
    if (Math.abs(name.length - known.length) >= best.distance) continue
    const distance = editDistance(name, known)
    if (distance < best.distance) best = { known, distance }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      next.push(cost)
    }
    before = row
    row = next
  }
  return row[b.length]!
}
