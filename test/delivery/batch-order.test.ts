import t from 'tap'
import { Batch, type Refusal } from '../../src/delivery/batch.js'
import type { Claimed } from '../../src/outbox/outbox.js'
import { type Naming, namings } from './naming.js'
import { createRandom } from './random.js'

const ROUNDS = 400

interface Round {
  entries: Claimed[]
  isBad: (entry: Claimed) => boolean
  taken: Claimed[]
  refused: Claimed[]
  /** Refused by the answer to a request that held others too. */
  together: Claimed[]
  requests: number
}

/** A batch of several users, some of whose entries are bad, until nothing of it is left. Now and then a request meets a fault. */
function play(how: Naming, status: number, random: () => number): Round {
  const users = 1 + Math.floor(random() * 5)
  const entries = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, id) => ({
    id,
    user: `u:${Math.floor(random() * users)}`,
    body: '{}',
    receivedAt: 0
  }))
  const share = random() * 0.4
  const bad = new Set<Claimed>(entries.filter(() => random() < share))
  const round: Round = { entries, isBad: entry => bad.has(entry), taken: [], refused: [], together: [], requests: 0 }
  const batches = [new Batch(entries)]
  while (batches.length > 0) {
    const batch = batches[0]!
    if (batch.done) {
      batches.shift()
      continue
    }
    if (++round.requests > 2000) throw new Error('does not end')
    const sent = batch.current
    const chance = random()
    if (chance < 0.05 && sent.length > 1) batches.splice(0, 1, ...batch.parts())
    else if (chance < 0.05) batches.push(batch.detach())
    else {
      const found = sent.flatMap((entry, index) => (bad.has(entry) ? [index] : []))
      if (found.length === 0) {
        round.taken.push(...batch.taken())
      } else {
        const named = how(found, sent.length, random)
        const errors = named.map(log_index => ({ log_index, field: 'f', message: 'm' }))
        const refusal: Refusal = { status, code: 'VALIDATION_FAILED', message: 'm', errors, answer: '' }
        const refused = batch.refused(refusal).map(each => each.entry)
        if (refused.length > 0 && sent.length > 1) round.together.push(...refused)
        round.refused.push(...refused)
      }
    }
  }
  return round
}

/** Users of whom something arrived before an entry that is older. */
function disordered({ taken }: Round): string[] {
  const last = new Map<string, number>()
  return taken.flatMap(({ id, user }) => {
    const before = last.get(user) ?? -1
    last.set(user, id as number)
    return (id as number) < before ? [user] : []
  })
}

for (const [name, how] of Object.entries(namings)) {
  t.test(`faults, and names: ${name}`, async t => {
    const random = createRandom(5)
    const wrong: string[] = []
    for (let i = 0; i < ROUNDS; i++) {
      const round = play(how, i % 4 === 0 ? 413 : 400, random)
      const { entries, isBad, taken, refused, together } = round
      const settled = new Set([...taken, ...refused])
      if (settled.size !== entries.length || taken.length + refused.length !== entries.length) {
        wrong.push(`round ${i}: not each is settled once`)
      }
      if (taken.some(isBad) || refused.some(entry => !isBad(entry))) wrong.push(`round ${i}: a wrong verdict`)
      if (together.length > 0) wrong.push(`round ${i}: ${together.length} refused that did not stand alone`)
      const own = new Set(entries.filter(isBad).map(entry => entry.user))
      const harmed = disordered(round).filter(user => !own.has(user))
      if (harmed.length > 0) wrong.push(`round ${i}: the order of ${harmed}, of whom nothing is refused`)
    }
    t.strictSame(wrong, [])
  })
}
