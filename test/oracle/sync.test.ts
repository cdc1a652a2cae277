/**
 * 202 is written after the entries are synced, shown by the system calls of the program itself: for each answer, a write
 * that holds its entries into a file of the queue, then an fdatasync or fsync of that file that has returned 0, then the
 * write of the answer to the browser's connection. Entries and answers are matched by the request's id, which is stamped
 * into the one (STAMP_CONTEXT) and a header of the other.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { entry } from '../helper/proxy.js'
import { noStrace } from '../helper/strace.js'
import { startProgram, until } from './program.js'

const TRACED = 'trace=write,pwrite64,writev,sendto,sendmsg,fdatasync,fsync'

t.test('the sync comes before the 202', { skip: noStrace }, async t => {
  const cwd = t.testdir({})
  const trace = join(cwd, 'trace')
  const key = makeKey()
  const env = {
    DELIVERY: 'queued',
    STAMP_CONTEXT: 'request_id',
    LOGTRAIL_API_KEY: key,
    // Nobody is there: nothing but what browsers send is written.
    LOGTRAIL_URL: 'http://127.0.0.1:9/api/v1/workspace'
  }
  const program = await startProgram(env, cwd)
  t.teardown(() => void program.child.process.kill('SIGKILL'))
  const { pid } = program.child.process
  const strace = spawn('strace', ['-f', '-y', '-s', '100000', '-e', TRACED, '-o', trace, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let said = ''
  strace.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  await until(() => /attached/.test(said))

  const answers = [await program.post('ada', entry()), await program.post('ada', [entry(), entry()])]
  answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => program.post(`u${i}`, entry())))))
  t.ok(
    answers.every(answer => answer?.status === 202),
    'all are acknowledged'
  )
  const ids = answers.map(answer => answer?.headers.get('x-request-id') as string)
  const ended = new Promise(resolve => strace.once('close', resolve))
  strace.kill('SIGINT')
  await ended
  await program.kill()

  const { order, syncs } = read(readFileSync(trace, 'utf8').split('\n'), ids)
  t.strictSame(
    ids.map(id => order.get(id)),
    ids.map(() => 'answered after its sync')
  )
  t.ok(syncs >= 3 && syncs <= ids.length, `${ids.length} requests, ${syncs} syncs`)
})

/** What the trace says of each request, and how many syncs of the log it holds. */
function read(lines: readonly string[], ids: readonly string[]) {
  /** By file: how many writes it has seen, and how many of these a sync that has returned covers. */
  const written = new Map<string, number>()
  const synced = new Map<string, number>()
  /** Syncs that have begun, by thread. */
  const syncing = new Map<string, { file: string; covers: number }>()
  const stored = new Map<string, { file: string; write: number }>()
  const order = new Map<string, string>()
  let syncs = 0
  for (const line of lines) {
    const thread = line.split(' ')[0] as string
    const write = /^\d+ +(?:write|pwrite64|writev|sendto|sendmsg)\(\d+<([^>]+)>, (.*)/.exec(line)
    if (write) {
      const [, file, data] = write as unknown as [string, string, string]
      const count = (written.get(file) ?? 0) + 1
      written.set(file, count)
      for (const id of ids) {
        if (!data.includes(id)) continue
        if (file.endsWith('.log')) stored.set(id, { file, write: count })
        else if (data.includes('HTTP/1.1 202')) {
          const place = stored.get(id)
          const safe = place !== undefined && (synced.get(place.file) ?? 0) >= place.write
          order.set(id, safe ? 'answered after its sync' : 'ANSWERED BEFORE ITS SYNC')
        }
      }
    }
    const begun = /^\d+ +f(?:data)?sync\(\d+<([^>]+)>/.exec(line)
    if (begun) syncing.set(thread, { file: begun[1] as string, covers: written.get(begun[1] as string) ?? 0 })
    if (begun ? /\) += 0$/.test(line) : /f(data)?sync resumed>.*\) += 0$/.test(line)) {
      const { file, covers } = syncing.get(thread) as { file: string; covers: number }
      synced.set(file, covers)
      if (file.endsWith('.log')) syncs++
    }
  }
  return { order, syncs }
}
