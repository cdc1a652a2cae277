import t from 'tap'
import { createSessionTagger } from '../../src/session/tag.js'

t.test('one user, one tag, under one secret', async t => {
  const tag = createSessionTagger('secret')
  t.match(tag('ada'), /^[0-9a-f]{16}$/)
  t.equal(tag('ada'), tag('ada'))
  t.not(tag('ada'), tag('eve'))
  t.equal(createSessionTagger(Buffer.from('secret'))('ada'), tag('ada'), 'over replicas and restarts')
  t.not(createSessionTagger('other')('ada'), tag('ada'))
})

t.test('the tag outlives a new version: browsers keep what is unsent under it', async t => {
  t.equal(createSessionTagger('secret')('ada'), '580777a9fa8cde81')
})

t.test('a crowd changes nothing', async t => {
  const tag = createSessionTagger('secret')
  const first = tag('user-0')
  const tags = new Set(Array.from({ length: 25_000 }, (_, i) => tag(`user-${i}`)))
  t.equal(tags.size, 25_000)
  t.equal(tag('user-0'), first)
})
