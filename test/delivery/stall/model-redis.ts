import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import type { Clock } from '../../../src/clock.js'
import type { Process } from './process.js'

type Fields = string[]

/**
 * The scripts of src/outbox/redis/lua.ts as they are meant, over time that a test turns by hand: what waits, who has read it,
 * who sends. Without the accounts.
 */
export class ModelRedis {
  readonly stream = new Map<number, Fields>()
  readonly pending = new Set<number>()
  readonly dead = new Map<number, Fields>()
  lease: { holder: string; until: number } | undefined
  /** It does nothing before. */
  frozenUntil = 0
  #clock: Clock
  #read = 0
  #sequence = 1000
  #books = { waiting: 0, bytes: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  #state(more: unknown) {
    const [first] = this.stream.values()
    return [this.#books.waiting, this.#books.bytes, this.dead.size, first?.[3] ?? '', more, []]
  }

  #holder(): string | undefined {
    if (this.lease !== undefined && this.lease.until <= this.#clock.now()) this.lease = undefined
    return this.lease?.holder
  }

  run(name: string, args: string[]): unknown {
    switch (name) {
      case 'append':
        return this.#append(args)
      case 'beat':
        return this.#beat(args)
      case 'leave':
        if (this.#holder()?.endsWith(args[0] as string)) this.lease = undefined
        return this.#state(0)
      case 'read':
        return args[0] === this.#holder() ? [this.#entries(Number(args[1]), args[2] as string)] : null
      case 'forget':
        return args[0] === this.#holder() ? this.#forget(args) : null
      case 'bury':
        return args[0] === this.#holder() ? this.#bury(args) : null
      case 'info':
        return 'role:master\r\nconnected_slaves:0\r\n'
      case 'config':
        return []
      default:
        throw new Error(`no such command: ${name}`)
    }
  }

  #append([, at = '', from = '', ...texts]: string[]) {
    const first = this.#sequence + 1
    for (let i = 0; i < texts.length; i += 2) {
      this.stream.set(++this.#sequence, ['u', texts[i]!, 't', at, 'b', texts[i + 1]!, 'f', from])
    }
    this.#books.waiting += texts.length / 2
    return this.#state(String(first))
  }

  #beat([name = '', ttl = '', , , believed]: string[]) {
    const until = this.#clock.now() + Number(ttl)
    const holder = this.#holder()
    const mine = holder?.endsWith(name) ?? false
    if (holder === undefined || (mine && believed === '')) {
      this.lease = { holder: `${++this.#sequence}:${name}`, until }
    } else if (mine) this.lease!.until = until
    return this.#state(this.lease!.holder.endsWith(name) ? this.lease!.holder : '')
  }

  #entries(count: number, after: string): [string, Fields | null][] {
    if (after !== '>') {
      const last = Number(after.split('-')[0])
      const mine = [...this.pending].filter(id => id > last).sort((a, b) => a - b)
      return mine.slice(0, count).map(id => [`${id}-0`, this.stream.get(id) ?? null])
    }
    const found = [...this.stream].filter(([id]) => id > this.#read).slice(0, count)
    for (const [id] of found) {
      this.pending.add(id)
      this.#read = id
    }
    return found.map(([id, fields]) => [`${id}-0`, fields])
  }

  #forget([, ...gone]: string[]) {
    let n = 0
    for (let i = 0; i < gone.length; i += 3) n += this.#gone(gone[i] as string)
    return this.#state(n)
  }

  #bury([, died = '', ...pairs]: string[]) {
    let n = 0
    for (let i = 0; i < pairs.length; i += 2) {
      const fields = this.stream.get(Number((pairs[i] as string).split('-')[0]))
      if (this.#gone(pairs[i] as string) === 0) continue
      this.dead.set(++this.#sequence, [...fields!.slice(0, 6), 'r', pairs[i + 1] as string, 'd', died])
      n++
    }
    return this.#state(n)
  }

  #gone(id: string): number {
    const sequence = Number(id.split('-')[0])
    this.pending.delete(sequence)
    if (!this.stream.delete(sequence)) return 0
    this.#books.waiting--
    return 1
  }
}

export interface ConnectionOptions {
  clock: Clock
  /** Whose connection it is. */
  process: Process
  server: ModelRedis
  /** Milliseconds that the next thing takes on its way; or on its way back. */
  delay: () => number
  timeout: number
  /** Whether what was sent before a break reaches Redis all the same, and how much later. */
  stray: () => number | undefined
}

interface Waiting {
  settle: (error: Error | undefined, answer?: unknown) => void
}

interface Command {
  arrived: boolean
  run: () => void
}

/** One connection: commands arrive in their order, answers come back in theirs, each as late as it is told. */
export class ModelConnection extends EventEmitter {
  status = 'ready'
  #options: ConnectionOptions
  #arrives = 0
  #returns = 0
  #waiting = new Set<Waiting>()
  #inbox: Command[] = []
  #life = 0

  constructor(options: ConnectionOptions) {
    super()
    this.#options = options
  }

  get asRedis(): Redis {
    return this as unknown as Redis
  }

  defineCommand(name: string, { numberOfKeys }: { numberOfKeys: number }): void {
    const commands = this as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>
    commands[name] = (...args) => this.#send(name.slice('outbox_'.length), args.slice(numberOfKeys).map(String))
  }

  info = () => this.#send('info', [])
  config = () => this.#send('config', [])

  #send(name: string, args: string[]): Promise<unknown> {
    const { clock, process, server, delay, timeout, stray } = this.#options
    if (this.status !== 'ready') return Promise.reject(new Error('the stream is not writable'))
    return new Promise((resolve, reject) => {
      const life = this.#life
      const waiting: Waiting = {
        settle: (error, answer) => {
          if (!this.#waiting.delete(waiting)) return
          process.clearTimeout(late)
          if (error) reject(error)
          else resolve(answer)
        }
      }
      this.#waiting.add(waiting)
      const late = process.setTimeout(() => waiting.settle(new Error('Command timed out')), timeout)
      const inbox = this.#inbox
      const command: Command = {
        arrived: false,
        run: () => {
          const answer = server.run(name, args)
          this.#returns = Math.max(this.#returns, clock.now() + delay())
          const back = () => life === this.#life && waiting.settle(undefined, answer)
          process.hear(back, this.#returns - clock.now())
        }
      }
      inbox.push(command)
      this.#arrives = Math.max(this.#arrives, clock.now() + delay())
      clock.setTimeout(() => {
        // What a break has left on its way is lost with all that is behind it, or is late.
        if (life === this.#life) this.#arrive(command, inbox)
        else {
          const later = stray()
          if (later === undefined) inbox.length = 0
          else clock.setTimeout(() => this.#arrive(command, inbox), later)
        }
      }, this.#arrives - clock.now())
    })
  }

  /** In the order in which they were sent, as soon as Redis does anything. */
  #arrive(command: Command | undefined, inbox: Command[]): void {
    const { clock, server } = this.#options
    if (command !== undefined) command.arrived = true
    const frozen = server.frozenUntil - clock.now()
    if (frozen > 0) clock.setTimeout(() => this.#arrive(undefined, inbox), frozen)
    else while (inbox[0]?.arrived) inbox.shift()?.run()
  }

  /** Whatever was asked is given up; it is there again after `ms`. */
  break(ms: number): void {
    if (this.status !== 'ready') return
    this.status = 'reconnecting'
    this.#life++
    this.#inbox = []
    for (const waiting of [...this.#waiting]) waiting.settle(new Error('Connection is closed.'))
    this.emit('close')
    this.#options.process.hear(() => {
      if (this.status === 'end') return
      this.status = 'ready'
      this.#arrives = 0
      this.#returns = 0
      this.emit('ready')
    }, ms)
  }

  disconnect(): void {
    this.status = 'end'
    this.#life++
    for (const waiting of [...this.#waiting]) waiting.settle(new Error('Connection is closed.'))
  }
}
