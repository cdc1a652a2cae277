import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const DEMO = fileURLToPath(new URL('../../docker/demo/demo.ts', import.meta.url))

export interface Demo {
  demo: ChildProcess
  app: string
  logtrail: string
  admin: string
  said: string
}

/** Starts it and reads the addresses that it prints, as a person would. */
export async function startDemo(): Promise<Demo> {
  const { LOG_LEVEL, DELIVERY, ...env } = process.env
  const demo = spawn(process.execPath, ['--import', 'tsx', DEMO, '--free-ports', '--from-source'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env
  })
  let said = ''
  for await (const line of createInterface(demo.stdout)) {
    said += `${line}\n`
    if (line.includes('Ctrl-C')) break
  }
  const [app, logtrail, , admin] = said.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? []
  return { demo, app: app!, logtrail: logtrail!, admin: admin!, said }
}
