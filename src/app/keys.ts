import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.js'
import { watchKeyFile } from '../logtrail/key-file.js'
import { createKeyring, type Keyring } from '../logtrail/keyring.js'
import { keyPolicyOf } from './rules.js'

export interface Keys {
  keyring: Keyring
  close(): Promise<void>
}

/**
 * The keys of Logtrail, with a log line for what becomes of them; those of a file are followed.
 * @param secrets grows by the keys that come later
 */
export function openKeys(config: Config, log: FastifyBaseLogger, secrets: Set<string>): Keys {
  const keyring = createKeyring(config.LOGTRAIL_API_KEY)
  keyring.on('refused', (key, status) => {
    log.error({ fingerprint: key.fingerprint, status }, 'Logtrail refused the API key: replace it (see "rotation")')
  })
  keyring.on('accepted', key => log.info({ fingerprint: key.fingerprint }, 'Logtrail accepts the API key'))
  keyring.on('change', key => log.warn({ fingerprint: key.fingerprint }, 'another API key is in use now'))
  const file = config.keyFile
    ? watchKeyFile(config.keyFile, {
        current: config.LOGTRAIL_API_KEY,
        policy: keyPolicyOf(config),
        onKeys(keys, warnings) {
          for (const key of keys) secrets.add(key)
          for (const warning of warnings) log.warn(warning)
          keyring.replace(keys)
        },
        onFault: message => log.error(`${message}; the key in use stays`)
      })
    : undefined
  return {
    keyring,
    async close() {
      await file?.close()
      keyring.close()
    }
  }
}
