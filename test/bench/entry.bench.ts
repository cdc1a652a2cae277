/**
 * What the whole way of an entry costs with the defaults, against the least that any proxy does: parse, check by the same
 * compiled schema, serialise. Both from the same bytes to a string, interleaved, in CPU time of this process; medians.
 * `node --import tsx test/bench/entry.bench.ts` prints the table; `bench.ts` takes the rows.
 */
import { pathToFileURL } from 'node:url'
import { createReader } from '../../src/entry/reader.js'
import { type Rules, SECRET_NAMES, type Who } from '../../src/entry/rules.js'
import { isEntry } from '../../src/entry/schema.js'

const RULES: Rules = {
  limits: { maxLogBytes: 2048, maxDepth: 5, maxTags: 20 },
  maxEntries: 1000,
  environment: 'production',
  stampActor: 'replace',
  stampContext: [],
  minLevel: 'trace',
  redactFields: SECRET_NAMES,
  redactPatterns: ['logtrail-key', 'jwt', 'card', 'assignment'],
  allowFields: [],
  dropFields: [],
  oversize: 'trim'
}

const WHO: Who = { userId: 'user_123', ip: '192.0.2.7', requestId: 'f3b0a5c2', receivedAt: 1_763_935_158_000 }

/** About 450 bytes, as an ordinary page writes them. */
function entry(number: number): object {
  return {
    action: 'checkout.paid',
    level: 'info',
    clientTimestamp: `2026-11-23T21:59:${String(10 + (number % 50))}.123Z`,
    message: 'Order paid by card after two attempts',
    actor: { id: 'user_123', email: 'ada@example.com' },
    target: { type: 'order', id: `ord_88${number}` },
    context: { page: '/checkout/summary?step=3', viewport: '1440x900', locale: 'en-GB' },
    metadata: { cart: 7, total: 129.95, currency: 'EUR', items: [{ sku: 'A-1', n: 2 }], experiment: 'blue-button' },
    tags: ['checkout', 'web']
  }
}

export interface EntryCost {
  name: string
  /** Microseconds of CPU an entry. */
  bare: number
  way: number
  /** The median of the rounds' own ratios. */
  ratio: number
}

function cpu(run: () => void, times: number): number {
  const before = process.cpuUsage()
  for (let time = 0; time < times; time++) run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!

function compare(name: string, entries: number, bare: () => void, way: () => void, rounds: number): EntryCost {
  const times = Math.ceil(10_000 / entries)
  const bares: number[] = []
  const ways: number[] = []
  const ratios: number[] = []
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    const one = cpu(bare, times) / entries
    const other = cpu(way, times) / entries
    if (round < 0) continue
    bares.push(one)
    ways.push(other)
    ratios.push(other / one)
  }
  return { name, bare: median(bares), way: median(ways), ratio: median(ratios) }
}

/** What makes the patterns look longest: nearly cards, keys, tokens, assignments, over and over. */
const WORST = [
  '4444 444 ',
  '4111111111111112a',
  'eyJ-',
  'lt_',
  'token:',
  '&token=a',
  '_=',
  'bearer ',
  '%3D',
  '://a:',
  ':',
  'a',
  '漢='
]

export interface WorstCost {
  unit: string
  /** Milliseconds of CPU: JSON.parse of an entry whose message is 2 MiB of `unit`, and its whole way, trimmed to the plan. */
  parse: number
  way: number
  ratio: number
}

export function benchWorst(rounds = 5): WorstCost[] {
  const reader = createReader(RULES)
  return WORST.map(unit => {
    const message = unit.repeat((2 << 20) / Buffer.byteLength(unit))
    const body = Buffer.from(JSON.stringify({ ...entry(1), message }))
    const parses: number[] = []
    const ways: number[] = []
    for (let round = 0; round < rounds; round++) {
      parses.push(cpu(() => JSON.parse(body.toString()), 1) / 1000)
      ways.push(cpu(() => reader.single(body, WHO), 1) / 1000)
    }
    const [parse, way] = [median(parses), median(ways)]
    return { unit, parse, way, ratio: way / parse }
  })
}

export function benchEntries(rounds = 21): EntryCost[] {
  const reader = createReader(RULES)
  const one = Buffer.from(JSON.stringify(entry(1)))
  const fifty = Buffer.from(JSON.stringify(Array.from({ length: 50 }, (_, number) => entry(number))))
  function checked(value: unknown): string {
    if (!isEntry(value)) throw new Error('The bench sends a wrong entry.')
    return JSON.stringify(value)
  }
  return [
    compare(
      `one entry of ${one.length} bytes`,
      1,
      () => checked(JSON.parse(one.toString())),
      () => reader.single(one, WHO),
      rounds
    ),
    compare(
      'a bulk of 50, an entry',
      50,
      () => (JSON.parse(fifty.toString()) as unknown[]).map(checked),
      () => reader.bulk(fifty, WHO),
      rounds
    )
  ]
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  for (const { name, bare, way, ratio } of benchEntries()) {
    console.log(`${name}: bare ${bare.toFixed(2)} µs, the whole way ${way.toFixed(2)} µs, ${ratio.toFixed(2)} ×`)
  }
  for (const { unit, parse, way, ratio } of benchWorst()) {
    const name = JSON.stringify(unit).padEnd(20)
    console.log(
      `2 MiB of ${name} parse ${parse.toFixed(1)} ms, the whole way ${way.toFixed(1)} ms, ${ratio.toFixed(1)} ×`
    )
  }
}
