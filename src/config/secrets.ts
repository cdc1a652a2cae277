import { parseKey, splitKeys } from '../logtrail/key.js'
import { readPublic, readSecret } from '../session/key-material.js'
import type { Report } from './forms.js'

/** Keys of Logtrail: the reasons are key.ts's, which name no part of a key. */
export function readKeys(input: string, report: Report): string[] | undefined {
  const keys = wellFormedKeys(input, report)
  return keys.length === splitKeys(input).length ? keys : undefined
}

/** Those keys of a text that are well formed, whatever the others are. */
export function wellFormedKeys(input = '', report: Report = () => {}): string[] {
  return splitKeys(input).filter(key => told(report, () => parseKey(key)) !== undefined)
}

export function readSharedSecret(input: string, report: Report): string | undefined {
  return told(report, () => {
    readSecret(input)
    return input
  })
}

/** A public key for verifying tokens, as SPKI PEM whatever PEM it came in, with real line breaks. */
export function readPublicKey(input: string, report: Report): string | undefined {
  return told(report, () => readPublic(input).export({ type: 'spki', format: 'pem' }) as string)
}

function told<Value>(report: Report, read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    report((error as Error).message)
    return undefined
  }
}

/** Words that documentation and examples use for a secret, and texts of hardly any variety. */
export function isPlaceholder(secret: string): boolean {
  const words =
    /change[\s_-]?(me|this|it)|replace[\s_-]?(me|this|with)|placeholder|example|keyboard[\s_-]?cat|your[\s_-].*(secret|key)|(super|very|some|top)[\s_-]?secret|a[\s_-]string[\s_-]secret|at[\s_-]least[\s_-](32|256)|^<.*>$|^\$\{.*\}$/i
  return words.test(secret) || (secret.length >= 16 && new Set(secret).size <= 6)
}
