import { secretPart } from './key.js'

/** Tells whether what came from Logtrail holds a key, so that no answer can carry one on to a browser or into a log. */
export interface EchoGuard {
  inBody(body: Buffer, keys: readonly string[]): boolean
  inText(text: string, keys: readonly string[]): boolean
}

interface Needle {
  text: string
  bytes: Buffer
}

/** Keys are looked for by their random part, which also finds them where the rest is left out; short ones as a whole. */
export function createEchoGuard(): EchoGuard {
  // Two keys at a time, replaced a few times a year: this never grows to matter.
  const needles = new Map<string, Needle>()

  function needle(key: string): Needle {
    let found = needles.get(key)
    if (found === undefined) {
      const text = secretPart(key)
      found = { text, bytes: Buffer.from(text) }
      needles.set(key, found)
    }
    return found
  }

  function inText(text: string, keys: readonly string[]): boolean {
    for (const key of keys) if (text.includes(needle(key).text)) return true
    return false
  }

  return {
    inText,
    inBody(body, keys) {
      if (body.length === 0) return false
      for (const key of keys) if (body.includes(needle(key).bytes)) return true
      // JSON may spell any character as \uXXXX, and a browser would read it back.
      return body.includes('\\u00') && inText(unescapeJson(body.toString('latin1')), keys)
    }
  }
}

function unescapeJson(text: string): string {
  return text.replace(/\\u00([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
