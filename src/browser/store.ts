/** Most that waits in the browser, in UTF-16 units over all tabs, and for how long, in milliseconds. */
const MAX_CHARS = 1e6
const MAX_AGE = 864e5
/** How long a claim holds: longer than a request, and than a tab takes to see what another has removed. Milliseconds. */
const CLAIM = 40_000
/** A browser's IndexedDB that has not answered by then is broken. Milliseconds. */
const PATIENCE = 10_000

/** Who is signed in: `=` and the tag of the session that answered last, or empty while none has. */
export type Tag = string

/** Bytes of one request, and of all keepalive requests under way: the browser's own budget for a page is 64 KiB. */
export const MAX_PIECE = 60_000

export const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/**
 * Where entries wait that could not be sent, shared by all tabs of the origin: one localStorage record for each batch put
 * aside, which no tab ever rewrites. The key is `<name>|<time>|<number>`. The first line tells whose it is (see
 * client.ts): `=<tag>`, or `?<last>~<spell>` where that was not known: who was known last in this browser and since when,
 * and in which spell of not knowing. Each further line is an entry. Where storage is denied or full the entries wait in memory.
 */
export function createStore(name: string, drop: (entry: string, reason: 'overflow' | 'expired') => unknown) {
  /** Counts up; its fraction is this page's own. */
  let number = 1e6 + Math.random()
  /** While nobody knows who is signed in; and whose the spells of this page turned out to be. */
  let spell = number
  const told: Record<string, Tag> = {}
  let box: Record<string, string> | undefined

  const open = (): Record<string, string> => {
    try {
      // Not before the first use: the first touch of localStorage reads a file. Some web views have null there.
      box ??= (localStorage as unknown as Record<string, string>) ?? {}
    } catch {
      box = {}
    }
    return box
  }
  /** Values that the tabs share: `?`, who is signed in, `until`, when the server may be asked again, and the records. */
  const recall = (what: string): string => open()[name + what] ?? ''
  const remember = (what: string, value: string | number): void => {
    try {
      open()[name + what] = value as string
    } catch {
      box = { [name + what]: value as string }
    }
  }
  const read = (key: string): string[] => (open()[key] ?? '').split('\n').slice(1)
  const remove = (key: string): void => {
    delete open()[key]
  }
  /** Keys of what waits, newest first, once what is too old or too much beside `size` more has been given up. */
  const keys = (size = 0): string[] =>
    Object.keys(open())
      .sort()
      .reverse()
      .filter(key => {
        const [start, time] = key.split('|')
        if (start !== name) return false
        const old = +time! < Date.now() - MAX_AGE
        size += open()[key]!.length
        if (!old && size < MAX_CHARS) return true
        for (const entry of read(key)) drop(entry, old ? 'expired' : 'overflow')
        return remove(key)
      })

  /**
   * Those of the keys that no other tab has claimed. localStorage cannot tell, under whatever lock: what another process
   * has removed may be seen here for a while. Transactions of IndexedDB follow one another over all processes. Rejects
   * where there is none (a frame without an origin).
   */
  const claim = (keys: string[]): Promise<string[]> =>
    new Promise((done, failed) => {
      setTimeout(done, PATIENCE, keys)
      const opening = indexedDB.open(name)
      opening.onerror = failed
      opening.onupgradeneeded = () => opening.result.createObjectStore(name)
      opening.onsuccess = () => {
        const claims = opening.result.transaction(name, 'readwrite').objectStore(name)
        const asking = claims.get(0)
        asking.onsuccess = () => {
          const known: Record<string, number> = { ...asking.result }
          for (const key in known) if (known[key]! < Date.now() - CLAIM) delete known[key]
          const mine = keys.filter(key => !known[key])
          for (const key of mine) known[key] = Date.now()
          claims.put(known, 0)
          done(mine)
          opening.result.close()
        }
      }
    })

  /** Keys of what may go while `tag` is signed in, oldest first; for '' of all there is. */
  const waiting = (tag: Tag): string[] =>
    keys()
      .reverse()
      .filter(key => {
        const [whose, spell] = open()[key]!.split(/[~\n]/, 2)
        // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
        const owner = told[spell!] ?? (whose === '?' || whose === '?' + recall('?') ? tag : whose)
        return !tag || owner === tag
      })

  return {
    recall,
    remember,
    waiting,
    read,

    /** The answer told who is signed in; '' as it told that whoever was is not any more. */
    know(tag: Tag): void {
      if (tag) told[spell] ??= tag
      else spell = number++
      // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
      if (recall('?').split(':')[0] !== tag) remember('?', tag && tag + ':' + Date.now())
    },

    /** Puts a batch aside in place of `old` records; where there is too much the oldest is given up. Never throws. */
    putAside(entries: string[], tag: Tag, old?: string[]): void {
      old?.forEach(remove)
      if (!entries[0]) return
      // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
      const value = [tag || '?' + recall('?') + '~' + spell, ...entries].join('\n')
      keys(value.length)
      // The oldest entry's time, also of those that were put together: by the newest's, with newer ones again and again, the
      // oldest would never expire.
      // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
      remember('|' + Date.parse(JSON.parse(entries[0]).clientTimestamp) + '|' + number++, value)
    },

    /**
     * Claims the oldest records of the user, at most `count` entries that fit into one request unless one record alone is more.
     * What one tab claims no other does for as long as a request may take. They wait on until they are removed.
     */
    async take(tag: Tag, count: number, bytes = MAX_PIECE): Promise<string[]> {
      const oldest: string[] = []
      for (const key of waiting(tag)) {
        count -= read(key).length
        bytes -= bytesOf(open()[key]!)
        // No look at those behind: there may be thousands, and each batch would look again.
        if (oldest[0] && (count < 0 || bytes <= 0)) break
        oldest.push(key)
      }
      return oldest[0] ? claim(oldest).catch(() => oldest) : oldest
    }
  }
}

export type Store = ReturnType<typeof createStore>
