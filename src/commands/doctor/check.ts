/** One line of `doctor`. `message` says how it is, `change` what to do about it; neither holds a secret. */
export interface Check {
  name: string
  status: 'ok' | 'warning' | 'failed'
  message: string
  change?: string
}

export const ok = (name: string, message: string): Check => ({ name, status: 'ok', message })

export const warning = (name: string, message: string, change: string): Check => ({
  name,
  status: 'warning',
  message,
  change
})

export const failed = (name: string, message: string, change: string): Check => ({
  name,
  status: 'failed',
  message,
  change
})

/** A check that hangs or breaks is a line like any other. @param ms how long it may take */
export function bounded(name: string, ms: number, run: () => Promise<Check[]>): Promise<Check[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Check[]>(resolve => {
    timer = setTimeout(() => resolve([failed(name, `no answer within ${ms / 1000} s`, AGAIN)]), ms)
  })
  return Promise.race([run(), late])
    .catch((error: Error) => [failed(name, `the check itself failed: ${error.message}`, AGAIN)])
    .finally(() => clearTimeout(timer))
}

const AGAIN = 'Run doctor again; if it stays, look at the network between this machine and that one.'
