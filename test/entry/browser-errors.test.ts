import t from 'tap'
import { BROWSER_ERRORS, SECRETS } from './browser-errors.js'
import { depthOf, FREE, RULES, reading, type Sent } from './setup.js'

const LONE = /\p{Cs}/u
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.entries(value).flat().flatMap(strings) : []
}

for (const limits of [FREE, RULES.limits]) {
  t.test(`on a plan of ${limits.maxLogBytes} bytes`, async t => {
    const { single } = reading({ limits })
    for (const [name, entry] of Object.entries(BROWSER_ERRORS)) {
      const body = JSON.stringify(entry)
      const { entries, trimmed } = single(body)
      const [json] = entries as [string]
      const sent = JSON.parse(json) as Sent
      t.ok(Buffer.byteLength(json) <= limits.maxLogBytes, `${name}: ${Buffer.byteLength(json)} bytes`)
      t.ok([sent.actor, sent.metadata].every(branch => depthOf(branch) <= limits.maxDepth))
      t.notMatch(json, SECRETS)
      t.equal(Buffer.from(json).toString(), json, 'is UTF-8')
      for (const text of strings(sent)) t.notMatch(text, LONE)
      t.equal(sent.metadata?._trimmed === undefined, trimmed === 0)
      t.same(single(json).entries, [json], 'is not changed by being read again')
    }
  })
}

t.test('an emoji at the cut stays whole, or goes', async t => {
  const whole = new Set(['👩‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '👍🏽', 'e\u0301', '…'])
  for (let maxLogBytes = 400; maxLogBytes < 440; maxLogBytes++) {
    const { message, metadata } = reading({ limits: { ...RULES.limits, maxLogBytes } }).sent(BROWSER_ERRORS.emoji)
    for (const text of [message, metadata?.text, metadata?.accents]) {
      for (const { segment } of graphemes.segment(String(text))) t.ok(whole.has(segment), segment)
    }
  }
})

t.test('halves of surrogate pairs are replaced, NUL is kept', async t => {
  const { message, metadata } = reading().sent(BROWSER_ERRORS.loneSurrogates)
  t.equal(message, 'cut in half: \ufffd')
  t.same(metadata, { input: '\ufffd\u200d\ud83d\udc69 ok \ufffd', 'key \ufffd': 1 })
  t.equal(reading().sent(BROWSER_ERRORS.nul).message, 'a\u0000b')
})
