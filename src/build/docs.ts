import { readFileSync, writeFileSync } from 'node:fs'
import { envExample, withTables } from './tables.js'

/** `npm run docs`, in the project's directory: what the README and `.env.example` say of variables and metrics. */
writeFileSync('README.md', await withTables(readFileSync('README.md', 'utf8')))
writeFileSync('.env.example', envExample())
