import type { Readings } from '../../src/admin/metrics.js'
import type { Program } from '../helper/proxy.js'

/** What metrics read where nothing of it matters. */
export const READINGS: Readings = {
  queue: () => ({ entries: 0, bytes: 0, oldestAgeSeconds: 0 }),
  budgetRemaining: () => 0,
  keys: () => [],
  degraded: () => ({}),
  logsPerMonth: 1
}

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** What `/metrics` says, in Prometheus' text format. */
export async function scrape(program: Pick<Program, 'get'>): Promise<Sample[]> {
  const { text } = await program.get('/metrics')
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({
    name: name!,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, said]) => [key, said])),
    value: Number(value)
  }))
}

/** The value of the one sample of this name with these labels; 0 where there is none. */
export function sampleOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  const found = samples.find(
    sample => sample.name === name && Object.entries(labels).every(([key, said]) => sample.labels[key] === said)
  )
  return found?.value ?? 0
}

/** Both sides of the books, read at one scrape. */
export async function books(program: Pick<Program, 'get'>) {
  const samples = await scrape(program)
  const of = (outcome: string) => sampleOf(samples, 'logtrail_bff_entries_total', { outcome })
  const waiting = sampleOf(samples, 'logtrail_bff_queue_entries')
  return {
    received: of('received'),
    inherited: of('inherited'),
    filtered: of('filtered'),
    delivered: of('delivered'),
    queued: of('queued'),
    rejected: of('rejected'),
    deadLetters: of('dead_letter'),
    trimmed: of('trimmed'),
    redacted: of('redacted'),
    waiting,
    came: of('received') + of('inherited'),
    went: of('filtered') + of('delivered') + waiting + of('rejected') + of('dead_letter')
  }
}
