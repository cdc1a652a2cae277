import t from 'tap'
import { explain } from '../../src/entry/explain.js'
import { ENTRY, FREE, RULES, WHO } from './setup.js'

const rules = { ...RULES, limits: FREE, dropFields: ['context.page'], minLevel: 'info' as const }
const file = (value: unknown) => Buffer.from(JSON.stringify(value))

t.test('one entry', async t => {
  const { refused, outcomes } = explain(
    file({ ...ENTRY, is_public: true, context: { page: '/' }, metadata: { token: 'hunter2', stack: 's'.repeat(900) } }),
    rules
  )
  t.equal(refused, undefined)
  const [outcome] = outcomes
  t.match(outcome, {
    log_index: null,
    outcome: 'sent',
    bytes: Buffer.byteLength(outcome!.json!),
    faults: [],
    removed: ['is_public'],
    dropped: ['context.page'],
    redacted: ['metadata.token'],
    trimmed: ['metadata.stack']
  })
  t.match(JSON.parse(outcome!.json!), { actor: { id: 'example-user' }, metadata: { token: '[REDACTED]' } })
})

t.test('a list: every entry, also beside one at fault', async t => {
  const { refused, outcomes } = explain(
    file([ENTRY, { ...ENTRY, level: 'debug' }, { ...ENTRY, message: 1 }, 7]),
    rules,
    WHO
  )
  t.match(refused, { code: 'VALIDATION_FAILED', message: String })
  t.match(outcomes, [
    { log_index: 0, outcome: 'sent', json: /user_123/ },
    { log_index: 1, outcome: 'filtered', json: undefined },
    { log_index: 2, outcome: 'refused', faults: [{ field: 'message', message: /string/ }] },
    { log_index: 3, outcome: 'refused', faults: [{ field: 'entry', message: 'must be a JSON object' }] }
  ])
})

t.test('what is refused whole', async t => {
  t.match(explain(Buffer.from('{'), rules), { refused: { code: 'VALIDATION_INVALID_JSON' }, outcomes: [] })
  t.match(explain(Buffer.from(''), rules), { refused: { code: 'VALIDATION_EMPTY_BODY' }, outcomes: [] })
  t.match(explain(file([]), rules), { refused: { code: 'VALIDATION_FAILED' }, outcomes: [] })
  t.match(explain(file([ENTRY, ENTRY]), { ...rules, maxEntries: 1 }), {
    refused: { code: 'VALIDATION_BULK_LIMIT_EXCEEDED' }
  })
  t.throws(() => explain(undefined as unknown as Buffer, rules))
})
