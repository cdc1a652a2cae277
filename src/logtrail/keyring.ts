import { EventEmitter } from 'node:events'
import { type KeyInfo, parseKey } from './key.js'

export type KeyState = 'unproven' | 'accepted' | 'refused'

export interface KeyringEvents {
  /** Another key is now in use, or all were replaced. */
  change: [current: KeyInfo]
  /** Logtrail refused a key that it had not refused before. */
  refused: [key: KeyInfo, status: number]
  /** Logtrail accepted a key that it had not accepted before, or not since it refused it. */
  accepted: [key: KeyInfo]
}

/**
 * The keys of Logtrail, one or two, and which of them is in use. A key that was refused is never locked out: where all
 * are, the next request tries one of them all the same.
 */
export interface Keyring {
  /** The key to use now. */
  current(): string
  /** All keys, the current one first. */
  candidates(): readonly string[]
  /**
   * Logtrail answered 401 or 403 to a request that carried this key, which may be long replaced by now.
   * @returns whether the request is worth one more try with `current()`: it is another key, and not known as refused
   */
  reject(key: string, status: number): boolean
  /** Another key than this one that is not known as refused: for where it is not certain whose the answer to this one was. */
  other(key: string): string | undefined
  /** Logtrail took the entries of a request that carried this key. */
  accept(key: string): void
  state(): { info: KeyInfo; state: KeyState }[]
  /** Takes other keys into use at once, all unproven. @throws Error without any part of a key, the old ones kept */
  replace(keys: readonly string[]): void
  on<E extends keyof KeyringEvents>(event: E, listener: (...args: KeyringEvents[E]) => void): void
  off<E extends keyof KeyringEvents>(event: E, listener: (...args: KeyringEvents[E]) => void): void
  close(): void
}

interface Held {
  key: string
  info: KeyInfo
  state: KeyState
}

/** @throws Error without any part of a key, where one is malformed or there is none */
export function createKeyring(keys: readonly string[]): Keyring {
  const events = new EventEmitter<KeyringEvents>()
  let held = hold(keys)
  let current = held[0] as Held
  let candidates = list()

  function list(): readonly string[] {
    return [current.key, ...held.filter(each => each !== current).map(each => each.key)]
  }

  function use(next: Held): void {
    current = next
    candidates = list()
    events.emit('change', next.info)
  }

  return {
    current: () => current.key,
    candidates: () => candidates,

    reject(key, status) {
      const refused = held.find(each => each.key === key)
      if (refused !== undefined) {
        const again = refused.state === 'refused'
        refused.state = 'refused'
        // Only the key in use can be put aside: the late answer to an old one says nothing about the new one.
        if (refused === current) {
          const other = held.find(each => each !== refused)
          // Where both are refused the request ends; but the next probe is the other's, so that whichever of them is
          // put right at Logtrail is found.
          if (other !== undefined && (other.state !== 'refused' || again)) use(other)
        }
        if (!again) events.emit('refused', refused.info, status)
      }
      return current.key !== key && current.state !== 'refused'
    },

    other: key => held.find(each => each.key !== key && each.state !== 'refused')?.key,

    accept(key) {
      if (current.key === key && current.state === 'accepted') return
      const accepted = held.find(each => each.key === key)
      if (accepted === undefined || accepted.state === 'accepted') return
      accepted.state = 'accepted'
      if (accepted !== current && current.state === 'refused') use(accepted)
      events.emit('accepted', accepted.info)
    },

    state: () => held.map(({ info, state }) => ({ info, state })),

    replace(next) {
      held = hold(next)
      use(held[0] as Held)
    },

    on: (event, listener) => void events.on(event, listener as never),
    off: (event, listener) => void events.off(event, listener as never),
    close: () => void events.removeAllListeners()
  }
}

function hold(keys: readonly string[]): Held[] {
  if (keys.length === 0) throw new Error('there is no key')
  return keys.map(key => ({ key, info: parseKey(key), state: 'unproven' }))
}
