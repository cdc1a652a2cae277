import { existsSync, readFileSync } from 'node:fs'

export interface PageFile {
  path: string
  type: string
  body: Buffer
}

/** Where the files are: beside this one, beside the bundle, or beside the folder of its parts. */
const PLACES = ['./page/', '../page/'].map(place => new URL(place, import.meta.url))

const FILES = [
  { path: '/', name: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page/style.css', name: 'style.css', type: 'text/css; charset=utf-8' },
  { path: '/page/icon.svg', name: 'icon.svg', type: 'image/svg+xml' },
  { path: '/page/live.js', name: 'live.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page/parts.js', name: 'parts.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page/plot.js', name: 'plot.js', type: 'text/javascript; charset=utf-8' }
]

/**
 * The status page, for a browser as it stands.
 * @throws Error where its files are missing: the program is not whole
 */
export function readPage(): PageFile[] {
  const place = PLACES.find(url => existsSync(new URL('index.html', url)))!
  return FILES.map(({ path, name, type }) => ({ path, type, body: readFileSync(new URL(name, place)) }))
}
