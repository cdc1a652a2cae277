import { fileURLToPath } from 'node:url'

/** Arguments for Node.js to run a TypeScript file beside this one in a process of its own. */
export function child(file: string): string[] {
  return ['--import', 'tsx', fileURLToPath(new URL(`./children/${file}`, import.meta.url))]
}
