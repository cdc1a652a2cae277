import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

/** Where the build puts the module: beside the bundle or its parts, or in `dist` when this runs from `src`. */
const PLACES = ['./browser/client.js', '../browser/client.js', '../../dist/browser/client.js'].map(
  place => new URL(place, import.meta.url)
)

/** A page in the middle of a deployment may have the old client for this long; then it asks whether there is a new one. */
const CACHE = 'public, max-age=300, must-revalidate'

/** Serves the browser client, with an ETag. @returns undefined where it was not built */
export function createClientRoute(places = PLACES): ((app: FastifyInstance, path: string) => void) | undefined {
  const place = places.find(url => existsSync(url))
  if (place === undefined) return undefined
  const module = readFileSync(place)
  const etag = `"${createHash('sha256').update(module).digest('base64url').slice(0, 22)}"`
  return (app, path) => {
    app.get(path, (request, reply) => {
      reply.header('etag', etag).header('cache-control', CACHE)
      // pages that isolate themselves (COEP) may load it, too; it holds nothing that is not public
      reply.header('cross-origin-resource-policy', 'cross-origin')
      if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send()
      return reply.type('text/javascript; charset=utf-8').send(module)
    })
  }
}

/** RFC 9110, 13.1.2: a list, compared weakly, or `*`. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some(one => ['*', etag, `W/${etag}`].includes(one.trim()))
}
