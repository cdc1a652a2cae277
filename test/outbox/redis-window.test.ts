import t from 'tap'
import type { Scripts } from '../../src/outbox/redis/scripts.js'
import { Window } from '../../src/outbox/redis/window.js'

type Found = Awaited<ReturnType<Scripts['read']>>

const ALL = { entries: 100, bytes: 1e6 }
const stored = (id: number): [string, string[]] => [
  `${id}-0`,
  ['user', 'u:ada', 'at', '1000', 'body', `{"n":${id}}`, 'from', 'here']
]

/** A window over a stream that answers as it is told. */
function windowOver(...answers: (Found | Promise<Found>)[]) {
  const asked: string[] = []
  const read = async (_holder: string, _count: number, after: string) => {
    asked.push(after)
    return answers.shift()
  }
  return { window: new Window({ read } as unknown as Scripts), asked }
}

t.test('where another holds the lease, nothing is read', async t => {
  const { window } = windowOver(undefined)
  t.equal(await window.fill('1'), false)
  t.same(window.take(ALL), [])
})

t.test('an answer to a lease that has ended meanwhile is of no use', async t => {
  let answer: (found: Found) => void = () => {}
  const { window } = windowOver(
    new Promise<Found>(resolve => {
      answer = resolve
    })
  )
  const filled = window.fill('1')
  window.clear()
  answer([stored(1)])
  t.equal(await filled, true)
  t.same(window.take(ALL), [])
})

t.test('what is settled here, and not yet in Redis, is not taken again', async t => {
  const { window, asked } = windowOver([], [stored(1)], [stored(1), stored(2)], [], [])
  await window.fill('1')
  t.match(window.take(ALL), [{ id: 1, user: 'u:ada' }])
  window.settle([1], true)
  window.clear()
  await window.fill('2')
  t.match(window.take(ALL), [{ id: 2 }])
  t.same(asked, ['0', '>', '0', '2-0', '>'])
  t.equal(window.settled.size, 1)
})

t.test('what another process answers for meanwhile is confirmed without harm', async t => {
  const { window } = windowOver([], [stored(1)])
  await window.fill('1')
  window.take(ALL)
  window.settle([1], true)
  t.ok(window.settledBytes > 0)
  window.disown()
  window.confirmed([1])
  t.equal(window.settledBytes, 0)
})
