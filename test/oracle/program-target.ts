import { join } from 'node:path'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { Books, Target } from '../delivery/oracle/oracle.js'
import { entry } from '../helper/proxy.js'
import { runMain } from '../main/child.js'
import { createKeyFolder } from './key-folder.js'
import { type Running, startProgram } from './program.js'

const PAGE = 10_000

export interface ProgramTarget extends Target {
  /** What browsers were answered, by status; `none` where the connection broke. */
  answers: Record<string, number>
  /** Both sides of each run's books as last read before it was killed, for the eye. */
  runs: { came: number; went: number }[]
}

/** The whole program, asked over HTTP, with the keys in a file. */
export function createProgramTarget(cwd: string, env: Record<string, string> = {}): ProgramTarget {
  const keys = createKeyFolder(join(cwd, 'secrets'))
  const path = join(cwd, 'queue')
  const answers: Record<string, number> = {}
  const runs: { came: number; went: number }[] = []
  let running: Running | undefined

  return {
    answers,
    runs,

    async start(upstream) {
      keys.put(upstream.keys)
      running = await startProgram(
        {
          DELIVERY: 'queued',
          QUEUE_PATH: path,
          LOGTRAIL_URL: upstream.url,
          LOGTRAIL_API_KEY_FILE: keys.path,
          LOGTRAIL_MAX_BATCH: '50',
          LOGTRAIL_REQUESTS_PER_MINUTE: '6000',
          LOGTRAIL_TIMEOUT: '400ms',
          BATCH_MAX_WAIT: '20ms',
          ...env
        },
        cwd
      )
    },

    async deliver(user, ids) {
      const entries = ids.map(id => entry({ metadata: { id } }))
      const answer = await running?.post(user.slice(2), entries.length === 1 ? entries[0] : entries)
      const status = String(answer?.status ?? 'none')
      answers[status] = (answers[status] ?? 0) + 1
      return status === '202'
    },

    rotate: async next => keys.put(next),

    waiting: () => running!.metric('queue_entries'),

    async kill() {
      const killed = running!
      const { came, went } = await killed.books()
      runs.push({ came, went })
      running = undefined
      await killed.kill('SIGKILL')
    },

    async stop() {
      const { received, inherited, filtered, delivered, waiting, rejected, deadLetters } = await running!.books()
      const { status } = await running!.kill('SIGTERM')
      if (status !== 0) throw new Error(`SIGTERM ended it with ${status}`)
      return { received, inherited, delivered: delivered + filtered, waiting, rejected, deadLetters } satisfies Books
    },

    async inspect() {
      const dead = await deadIds({ QUEUE_PATH: path }, cwd)
      const outbox = createDiskOutbox({ path, maxBytes: 1e9, control: false })
      await outbox.start()
      const { waiting } = outbox.stats()
      await outbox.stop()
      return { dead, waiting }
    }
  }
}

/** Ids of all dead letters' entries, as the command line lists them. */
export async function deadIds(env: Record<string, string>, cwd: string): Promise<string[]> {
  const dead: string[] = []
  for (let after = '0'; ; ) {
    const args = ['dead-letters', 'list', '--json', '--bodies', '--limit', String(PAGE), '--after', after]
    const { status, out, err } = await runMain(args, env, cwd)
    if (status !== 0) throw new Error(`dead-letters list ended with ${status}: ${err}`)
    const lines = out.split('\n').filter(line => line !== '')
    const letters = lines.map(line => JSON.parse(line) as { id: number; body: string })
    dead.push(...letters.map(({ body }) => JSON.parse(body).metadata.id as string))
    if (letters.length < PAGE) return dead
    after = String(letters.at(-1)!.id)
  }
}
