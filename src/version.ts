import { existsSync, readFileSync } from 'node:fs'

/** Of src/version.ts, and of a part of the bundle in dist/parts. */
const PLACES = ['../package.json', '../../package.json'].map(place => new URL(place, import.meta.url))

/** The version of this program, from its package.json. */
export const VERSION: string = JSON.parse(readFileSync(PLACES.find(place => existsSync(place))!, 'utf8')).version

/** How this program names itself to whatever it asks. */
export const USER_AGENT = `logtrail-bff/${VERSION}`
