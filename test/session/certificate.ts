import { execFileSync, spawnSync } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** False, or why there are no certificates: Node makes keys, but no certificates. */
export const opensslMissing = spawnSync('openssl', ['version']).status === 0 ? false : 'needs openssl'

/** A certificate in PEM, of this machine's own names, vouched for by nobody. */
export function selfSigned(key: KeyObject): string {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'))
  try {
    const file = join(folder, 'key.pem')
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    const certificate = execFileSync('openssl', ['req', '-x509', '-key', file, '-days', '1', ...names])
    return certificate.toString()
  } finally {
    rmSync(folder, { recursive: true })
  }
}
