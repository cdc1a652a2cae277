import { writeSync } from 'node:fs'

/** Writes to standard output before it returns, though that is a pipe which may be full for the moment. */
export function say(text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
