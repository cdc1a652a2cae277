import { type FileHandle, open } from 'node:fs/promises'

/** As in LevelDB's db/log_format.h: blocks, and in them records with a header of CRC:4 length:2 (little-endian) type:1. */
const BLOCK = 32 * 1024
const HEADER = 7
const ZERO = 0
const FULL = 1
const FIRST = 2
const MIDDLE = 3
const LAST = 4

/**
 * Bytes of a log of LevelDB that it did not write itself and passes over without a word (db/log_reader.cc): a header of
 * zeros, which makes it skip the rest of a block, and a record in the last block that goes beyond the end of the file.
 * It tells its diary about all others, whose sums do not match, so those are not added up here again.
 *
 * What a SIGKILL or a power cut may leave counts for nothing: zeros up to the end of the file, and a last record that
 * begins as it should and is cut off. Whether anything acknowledged was in them, mark.ts knows.
 */
export async function strangeBytes(path: string): Promise<number> {
  const file = await open(path)
  const block = Buffer.alloc(BLOCK)
  let strange = 0
  /** Zeros that nothing has followed so far. */
  let zeros = 0
  /** Whether a record goes on in the next fragment. */
  let within = false
  try {
    for (let length = await fill(file, block); length > 0; length = await fill(file, block)) {
      let at = 0
      while (length - at >= HEADER) {
        const end = at + HEADER + block.readUInt16LE(at + 4)
        const type = block[at + 6] as number
        if (type === ZERO && end === at + HEADER) {
          zeros += length - at
          if (block.subarray(at, length).every(byte => byte === 0)) break
        }
        strange += zeros
        zeros = 0
        if (type === ZERO) break
        if (end > length) {
          const begun = within ? type === MIDDLE || type === LAST : type === FULL || type === FIRST
          if (length < BLOCK && !begun) strange += length - at
          break
        }
        within = type === FIRST || type === MIDDLE
        at = end
      }
    }
    return strange
  } finally {
    await file.close()
  }
}

async function fill(file: FileHandle, block: Buffer): Promise<number> {
  let length = 0
  for (let read = 1; read > 0 && length < block.length; length += read) {
    read = (await file.read(block, length, block.length - length)).bytesRead
  }
  return length
}
