import type { IncomingHttpHeaders } from 'node:http'

/** Who asks. */
export interface Session {
  /** 1 to 256 characters without control characters, as the session's source names the user. */
  userId: string
  /** Where the session was carried: no other site can make a browser send `authorization`. */
  via: 'authorization' | 'cookie'
}

export interface SessionSource {
  /**
   * Whose session a request carries; null when it carries none. Throws (or rejects with) HttpError SESSION_INVALID,
   * SESSION_EXPIRED or SESSION_UNAVAILABLE. Returns without a promise when the answer is already known.
   */
  identify(headers: IncomingHttpHeaders): Session | null | Promise<Session | null>
  /** Whether `Authorization: Bearer` is read; if so, a request that has it is judged by it alone. */
  readonly readsAuthorization: boolean
  /** For readyz and doctor: whether sessions can be told, in a sentence without secrets. Never throws. */
  check(): Promise<SourceState>
  /** Ends what is open. May be called twice. */
  close(): Promise<void>
}

export interface SourceState {
  ok: boolean
  message: string
}

/** `SESSION_MODE=none`: nobody has a session. */
export function createNoSessions(): SessionSource {
  return {
    readsAuthorization: false,
    identify: () => null,
    check: async () => ({ ok: true, message: 'sessions are off: every request is anonymous' }),
    close: async () => {}
  }
}
