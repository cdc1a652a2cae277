import { NAMES, takesFile } from './schema.js'

const KNOWN = [...NAMES, ...NAMES.filter(takesFile).map(name => `${name}_FILE`)]

/** First words of two variables or more that other programs in the same environment use as well. */
const COMMON = ['ADMIN_', 'ALLOW_', 'POOL_']

/** The first words that this program's variables share: nobody else's, as far as can be told. */
const PREFIXES = (() => {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const name of NAMES) {
    const word = name.slice(0, name.indexOf('_') + 1)
    if (seen.has(word)) shared.add(word)
    seen.add(word)
  }
  return [...shared].filter(word => word !== '' && !COMMON.includes(word))
})()

/**
 * Names of others that begin like ours: X11's session manager, and what Kubernetes and Docker links set for services that
 * happen to be called `logtrail` or `session` (`X_SERVICE_HOST`, `X_PORT`, `X_PORT_80_TCP_ADDR`).
 */
const OTHERS = /^SESSION_MANAGER$|_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/
const LINK = /^(?:tcp|udp|sctp):\/\//

/** Warnings about variables that are set and mean nothing: the name and the nearest known one, never the value. */
export function unknownNames(everything: Readonly<Record<string, string>>): string[] {
  const warnings: string[] = []
  for (const [name, text] of Object.entries(everything)) {
    if (KNOWN.includes(name) || !/^[A-Z][A-Z0-9_]{2,63}$/.test(name)) continue
    if (OTHERS.test(name) || (name.endsWith('_PORT') && LINK.test(text))) continue
    const { known, distance } = nearest(name)
    if (PREFIXES.some(prefix => name.startsWith(prefix)) || distance <= (known.length < 8 ? 1 : 2)) {
      warnings.push(`${name} is no variable of this program and has no effect: the nearest one is ${known}`)
    }
  }
  return warnings
}

function nearest(name: string): { known: string; distance: number } {
  let best = { known: '', distance: Number.POSITIVE_INFINITY }
  for (const known of KNOWN) {
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
