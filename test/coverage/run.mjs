/**
 * `npm test`: tap, with whatever else it is told. The run fails unless its tests cover as much of src as .taprc demands, which
 * is all of it, wherever they can: not where Redis or prlimit (of util-linux: it makes a disk seem full) is missing, without
 * which tests of src are skipped, and not where some of the tests are picked. There the report stands alone, and the last
 * line says so.
 */
import { spawnSync } from 'node:child_process'

const args = process.argv.slice(2)
const missing = ['redis-server', 'prlimit'].find(program => spawnSync(program, ['--version']).status !== 0)
const excuse = args.some(arg => !arg.startsWith('-'))
  ? 'some tests were picked'
  : missing && `this machine has no ${missing}`
if (excuse) args.unshift('--allow-incomplete-coverage')

const { status } = spawnSync('tap', args, { stdio: 'inherit' })
if (excuse) console.log(`# Coverage of src was not demanded: ${excuse}.`)
process.exitCode = status ?? 1
