import { LIVE } from './live.js'
import { MARKUP } from './markup.js'
import { PARTS } from './parts.js'
import { PLOT } from './plot.js'
import { ICON, STYLE } from './style.js'

export interface PageFile {
  path: string
  type: string
  body: string
}

/** The status page: strings in modules, so that the bundle holds them and nothing has to be found on a disk. */
export const pageFiles: readonly PageFile[] = [
  { path: '/', type: 'text/html; charset=utf-8', body: MARKUP },
  { path: '/page/style.css', type: 'text/css; charset=utf-8', body: STYLE },
  { path: '/page/icon.svg', type: 'image/svg+xml', body: ICON },
  { path: '/page/live.js', type: 'text/javascript; charset=utf-8', body: LIVE },
  { path: '/page/parts.js', type: 'text/javascript; charset=utf-8', body: PARTS },
  { path: '/page/plot.js', type: 'text/javascript; charset=utf-8', body: PLOT }
]
