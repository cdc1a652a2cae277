import t from 'tap'
import { ENTRY, FREE, faultsOf, NOBODY, OPEN_ENTRY, reading, WHO } from './setup.js'

const CLAIMED = { id: 'root', email: 'ada@example.com' }

t.test('actor', async t => {
  const actor = (stampActor: 'replace' | 'merge' | 'off', claimed: object | undefined, who = WHO) =>
    reading({ stampActor }).sent({ ...ENTRY, actor: claimed }, who).actor

  t.same(actor('replace', CLAIMED), { id: 'user_123' })
  t.same(actor('replace', undefined), { id: 'user_123' })
  t.same(actor('merge', CLAIMED), { id: 'user_123', email: 'ada@example.com' })
  t.same(actor('merge', undefined), { id: 'user_123' })
  t.same(actor('off', CLAIMED), CLAIMED)
  t.same(actor('off', undefined), undefined)

  t.same(actor('replace', CLAIMED, NOBODY), undefined)
  t.same(actor('replace', undefined, NOBODY), undefined)
  t.same(actor('merge', CLAIMED, NOBODY), { email: 'ada@example.com' })
  t.same(actor('merge', { id: 'root' }, NOBODY), undefined)
  t.same(actor('off', CLAIMED, NOBODY), undefined)
})

t.test('the session’s user is never masked, whatever it looks like', async t => {
  for (const userId of ['4111111111111111', 'token=abc123', 'ada@example.com', 'lt_production_wo_abc']) {
    const { sent } = reading({
      stampActor: 'merge',
      redactPatterns: ['logtrail-key', 'jwt', 'card', 'assignment', 'email', 'ip'],
      redactFields: ['id']
    })
    t.same(sent({ ...ENTRY, actor: { id: 'x', name: 'Ada' } }, { ...WHO, userId }).actor, { id: userId, name: 'Ada' })
  }
})

t.test('context is written over what was claimed, in any spelling', async t => {
  const ids = ['first', 'second', 'third']
  const { sent, bulk } = reading(
    { stampContext: ['ip', 'user_agent', 'request_id', 'received_at', 'entry_id'], redactPatterns: ['ip'] },
    { newId: () => ids.shift()! }
  )
  const who = { ...WHO, userAgent: 'Mozilla/5.0' }
  const stamps = {
    ip: '192.0.2.7',
    user_agent: 'Mozilla/5.0',
    request_id: 'req-1',
    received_at: '2025-11-23T21:59:18.000Z'
  }
  t.same(
    sent({ ...ENTRY, context: { page: '/', ip: '1', IP: '2', 'user-agent': '3', requestId: '4', 'ip.v4': '5' } }, who)
      .context,
    {
      page: '/',
      ...stamps,
      entry_id: 'first'
    }
  )
  t.same(
    bulk([ENTRY, ENTRY], who).entries.map(json => JSON.parse(json).context),
    [
      { ...stamps, entry_id: 'second' },
      { ...stamps, entry_id: 'third' }
    ]
  )
})

t.test('a stamp that is not asked for is left to the browser, one that is missing is not', async t => {
  t.same(reading().sent({ ...ENTRY, context: { ip: '1' } }).context, { ip: '1' })
  t.same(
    reading({ stampContext: ['user_agent'] }).sent({ ...ENTRY, context: { user_agent: 'x', userAgent: 'x' } }).context,
    {}
  )
  const { user_agent } = reading({ stampContext: ['user_agent'] }).sent(ENTRY, { ...WHO, userAgent: 'x'.repeat(9000) })
    .context!
  t.equal(String(user_agent).length, 256)
})

t.test('entry ids differ', async t => {
  const { bulk } = reading({ stampContext: ['entry_id'] })
  const ids = bulk([ENTRY, ENTRY]).entries.map(json => JSON.parse(json).context.entry_id)
  t.match(ids[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.not(ids[0], ids[1])
})

t.test('stamps hold for DROP_FIELDS and REDACT_FIELDS too', async t => {
  const { sent } = reading({ stampContext: ['ip'], dropFields: ['context'], redactFields: ['ip'] })
  t.same(sent({ ...ENTRY, context: { page: '/' } }).context, { ip: '192.0.2.7' })
})

t.test('what a stamp is written over counts neither as too deep nor as masked, but is checked', async t => {
  const { single, sent } = reading({
    limits: FREE,
    oversize: 'reject',
    stampActor: 'merge',
    stampContext: ['ip'],
    dropFields: ['context.ip.x']
  })
  const deep = { a: { b: { c: { token: 'abc' } } } }
  const entry = { ...ENTRY, actor: { ID: deep, id: 'token=abc', n: 1 }, context: { Ip: deep, 'ip.x': deep, page: '/' } }
  const { redacted, notes } = single(entry)
  t.equal(redacted, 0)
  t.same(notes, [])
  t.match(sent(entry), { actor: { id: 'user_123', n: 1 }, context: { ip: '192.0.2.7', page: '/' } })
  t.same(sent({ ...ENTRY, actor: { id: deep }, context: entry.context }, NOBODY).actor, undefined)
  const { trimmed } = reading({ limits: FREE, stampContext: ['ip'] }).single(entry)
  t.equal(trimmed, 0)
  t.same(
    faultsOf(() => single({ ...ENTRY, context: { page: deep } })),
    ['context.page.a.b: must not be nested deeper than 3 levels'],
    'beside it everything does'
  )
  t.match(
    faultsOf(() => single(`${OPEN_ENTRY},"actor":{"id":{"__proto__":1}},"context":{"ip":{"constructor":1}}}`)),
    [/^actor\.id\.__proto__: must have another name/, /^context\.ip\.constructor: must have another name/]
  )
})
