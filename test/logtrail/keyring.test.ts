import t from 'tap'
import { createKeyring, type Keyring } from '../../src/logtrail/keyring.js'

const [A, B, C] = ['a', 'b', 'c'].map(letter => `lt_staging_wo_${letter}1234567890xyz`) as [string, string, string]

const states = (keyring: Keyring) => keyring.state().map(each => each.state)

function heard(keyring: Keyring): string[] {
  const [first, second] = keyring.state().map(each => each.info.fingerprint)
  const name = (fingerprint: string) => (fingerprint === first ? 'A' : fingerprint === second ? 'B' : 'other')
  const events: string[] = []
  keyring.on('change', key => events.push(`change ${name(key.fingerprint)}`))
  keyring.on('refused', (key, status) => events.push(`refused ${name(key.fingerprint)} ${status}`))
  keyring.on('accepted', key => events.push(`accepted ${name(key.fingerprint)}`))
  return events
}

t.test('the first key is used until it is refused; then the other, and it stays', async t => {
  const keyring = createKeyring([A, B])
  const events = heard(keyring)
  t.equal(keyring.current(), A)
  t.strictSame(keyring.candidates(), [A, B])
  t.strictSame(states(keyring), ['unproven', 'unproven'])
  keyring.accept(A)
  keyring.accept(A)
  t.equal(keyring.reject(A, 401), true)
  t.equal(keyring.current(), B)
  t.strictSame(keyring.candidates(), [B, A])
  keyring.accept(B)
  t.strictSame(states(keyring), ['refused', 'accepted'])
  t.strictSame(events, ['accepted A', 'change B', 'refused A 401', 'accepted B'])
})

t.test('a late answer to an old key demotes nothing, and the request is worth a try with the new one', async t => {
  const keyring = createKeyring([A, B])
  keyring.reject(A, 401)
  keyring.accept(B)
  const events = heard(keyring)
  for (let late = 0; late < 100; late++) t.equal(keyring.reject(A, 401), true)
  t.equal(keyring.current(), B)
  t.strictSame(states(keyring), ['refused', 'accepted'])
  t.strictSame(events, [])

  keyring.replace([C])
  t.equal(keyring.reject(B, 401), true, 'also to one that is not there any more')
  t.strictSame(states(keyring), ['unproven'])
})

t.test('both refused: nothing to try at once, but never locked out', async t => {
  const keyring = createKeyring([A, B])
  const events = heard(keyring)
  t.equal(keyring.reject(A, 401), true)
  t.equal(keyring.reject(B, 403), false)
  t.strictSame(states(keyring), ['refused', 'refused'])
  t.equal(keyring.reject(A, 401), false, 'nor for a late one')
  t.equal(keyring.current(), B, 'the next probe')
  t.equal(keyring.reject(B, 403), false)
  t.equal(keyring.current(), A, 'and the one after it')
  t.equal(keyring.reject(A, 401), false)
  t.equal(keyring.current(), B)
  keyring.accept(B)
  t.strictSame(states(keyring), ['refused', 'accepted'])
  t.strictSame(events, ['change B', 'refused A 401', 'refused B 403', 'change A', 'change B', 'accepted B'])
})

t.test('a late acceptance of the other key ends a refusal of the current one', async t => {
  const keyring = createKeyring([A, B])
  keyring.reject(A, 401)
  keyring.reject(B, 401)
  const events = heard(keyring)
  keyring.accept(A)
  t.equal(keyring.current(), A)
  keyring.accept(A)
  keyring.accept(C)
  t.strictSame(events, ['change A', 'accepted A'])
})

t.test('a key alone', async t => {
  const keyring = createKeyring([A])
  t.equal(keyring.reject(A, 401), false)
  t.equal(keyring.reject(A, 401), false)
  t.equal(keyring.current(), A)
  keyring.accept(A)
  t.strictSame(states(keyring), ['accepted'])
})

t.test('other keys take over at once, unproven; wrong ones do not', async t => {
  const keyring = createKeyring([A, B])
  keyring.reject(A, 401)
  const events = heard(keyring)
  t.throws(() => keyring.replace([]), { message: /no key/ })
  t.throws(() => keyring.replace(['lt_staging_wo_short']))
  t.equal(keyring.current(), B)
  keyring.replace([A, C])
  t.equal(keyring.current(), A)
  t.strictSame(states(keyring), ['unproven', 'unproven'])
  t.strictSame(events, ['change A'])
})

t.test('listeners can leave, by one or all', async t => {
  const keyring = createKeyring([A, B])
  let calls = 0
  const listener = () => {
    calls++
  }
  keyring.on('change', listener)
  keyring.off('change', listener)
  keyring.on('refused', listener)
  keyring.close()
  keyring.reject(A, 401)
  t.equal(calls, 0)
  t.throws(() => createKeyring([]))
})
