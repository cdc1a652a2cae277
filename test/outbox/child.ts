import { fileURLToPath } from 'node:url'

/** Arguments for Node.js to run a TypeScript file of `children` in a process of its own. */
export function child(file: string): string[] {
  return ['--import', import.meta.resolve('tsx'), fileURLToPath(new URL(`./children/${file}`, import.meta.url))]
}

/** Its environment: nothing of ours. */
export const childEnv = { PATH: process.env.PATH ?? '' }
