/** What a command has of the process it runs in. */
export interface Io {
  /** `serve` takes secrets out, once it has read them. */
  env: Record<string, string | undefined>
  cwd: string
  out(text: string): void
  err(text: string): void
  /** Whether standard output is a terminal. */
  terminal?: boolean
}

/** Exit statuses; the last two as in sysexits.h: EX_USAGE and EX_CONFIG. */
export const EXIT = { WELL: 0, FAULT: 1, USAGE: 64, CONFIG: 78 } as const

/** The command line asks for something that there is not. */
export class UsageError extends Error {}

/** Entries come from browsers and reasons from the network: neither may steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
