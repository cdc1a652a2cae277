/** What a command has of the process it runs in. */
export interface Io {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  out(text: string): void
  err(text: string): void
}

/** The command line asks for something that there is not. */
export class UsageError extends Error {}
