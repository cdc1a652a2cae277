import fastify from 'fastify'
import t from 'tap'
import { createErrorAnswer } from '../../src/app/error-answer.js'

t.test('of a flood of faults one line says how many it stands for', async t => {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  const stands = [1, 0, 7]
  app.setErrorHandler(
    createErrorAnswer(
      () => 1,
      () => stands.shift()!
    )
  )
  app.get('/', async () => {
    throw new TypeError('broken')
  })
  for (let n = 0; n < 3; n++) t.equal((await app.inject('/')).statusCode, 500)
  t.same(
    lines.map(line => JSON.parse(line).sampled),
    [undefined, 7]
  )
})
