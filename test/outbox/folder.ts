import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A fresh folder that goes with the test. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'outbox-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}
