import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { HttpError } from '../errors.js'

/** A round of the event loop: what waits so long are probes too, which give up after one to three seconds. */
const MAX_LOOP_DELAY_MS = 1000
/**
 * The plugin takes the mean of the rounds since its last look. Over so long one slow round, as a monster of a request makes
 * it, is no overload; and of rounds longer than this it knows no length, and takes them for endless.
 */
const LOOP_LOOK_MS = 5000
/**
 * Of what the heap may hold, past which V8 ends the process. What lives and what is garbage cannot be told apart from here,
 * but V8 collects at the latest halfway from what lives to the limit: above this share more than two thirds of it live.
 */
const MAX_HEAP_SHARE = 0.85
/**
 * Of the container's or the machine's memory, for heap and buffers. Not the plugin's `maxRssBytes`: resident are also the
 * queue's files that LevelDB maps, which the kernel takes back by itself, and a full queue would refuse for ever.
 */
const MAX_MEMORY_SHARE = 0.75
/** At memory oftener: in a second a thousand large requests can take a hundred megabytes. */
const MEMORY_LOOK_MS = 250
/** Whole seconds: the next look at the event loop. */
const RETRY_AFTER = 5

const SHORT: Record<string, 'processor time' | 'memory'> = {
  [underPressure.TYPE_EVENT_LOOP_DELAY]: 'processor time',
  [underPressure.TYPE_HEALTH_CHECK]: 'memory'
}

export interface OverloadOptions {
  /** Bytes: of the control group where there is one, else of the machine. */
  memory?: number
  /** Let through all the same. */
  spares: (request: FastifyRequest) => boolean
  onOverload: (short: 'processor time' | 'memory') => void
}

/**
 * Refuses (503) while processor time or memory is short, before anything breaks. A request costs two comparisons. The
 * plugin's own status route and answer are not used.
 */
export async function refuseOverload(
  app: FastifyInstance,
  {
    memory = Math.min(...[process.constrainedMemory(), totalmem()].filter(bytes => bytes)),
    spares,
    onOverload
  }: OverloadOptions
): Promise<void> {
  const mostLiving = MAX_HEAP_SHARE * heapLimit()
  await app.register(underPressure, {
    sampleInterval: LOOP_LOOK_MS,
    maxEventLoopDelay: MAX_LOOP_DELAY_MS,
    healthCheckInterval: MEMORY_LOOK_MS,
    async healthCheck() {
      const { heapUsed, heapTotal, external } = process.memoryUsage()
      return heapUsed < mostLiving && heapTotal + external < MAX_MEMORY_SHARE * memory
    },
    // a promise, since the plugin passes only what one rejects with on to the error handler
    async pressureHandler(request, _reply, what) {
      if (spares(request)) return
      onOverload(SHORT[what]!)
      throw new HttpError('SERVER_OVERLOADED', { retryAfter: RETRY_AFTER })
    }
  })
}

/**
 * Bytes that may live. V8's own limit has room for its youngest objects besides, who count for nothing here: where it
 * comes from the machine's memory they take under a twentieth of it, and where a flag sets what may live, up to 96 MB more.
 */
export function heapLimit(flags = [...process.execArgv, process.env.NODE_OPTIONS].join(' ')): number {
  const [, megabytes] = /--max[-_]old[-_]space[-_]size[= ](\d+)/.exec(flags) ?? []
  return megabytes ? Number(megabytes) * 1024 * 1024 : 0.95 * getHeapStatistics().heap_size_limit
}
