import { fileURLToPath } from 'node:url'

/** Arguments for Node.js to run a TypeScript file of `children` in a process of its own. */
export function child(file: string): string[] {
  return ['--import', import.meta.resolve('tsx'), fileURLToPath(new URL(`./children/${file}`, import.meta.url))]
}

/** Its environment. tap would record its coverage too; of what tsx compiled and of what tap compiled it does not add up. */
export const childEnv = { PATH: process.env.PATH ?? '', _TAPJS_PROCESSINFO_COVERAGE_: '0' }
