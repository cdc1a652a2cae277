import { readFileSync } from 'node:fs'

/**
 * The README's snippets as they stand, by the file that each is named after: a line `<!-- snippet: log.ts -->` stands
 * before its block.
 */
export function readSnippets(): Record<string, string> {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const found = text.matchAll(/^<!-- snippet: (\S+) -->\n```\w+\n(.*?)^```$/gms)
  return Object.fromEntries([...found].map(([, name, code]) => [name!, code!]))
}
