#!/usr/bin/env node
import { runCommand } from './commands/command-line.js'

const status = await runCommand(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
  terminal: process.stdout.isTTY
})

if (status !== undefined) {
  process.exitCode = status
  // What is said goes out first; but nothing that a failed start left open may keep the process.
  setTimeout(process.exit, 2000).unref()
}
