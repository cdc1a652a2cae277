/** Most that waits in the browser, in UTF-16 units over all tabs, and for how long, in milliseconds. */
const MAX_CHARS = 1e6
const MAX_AGE = 864e5

/** Who is signed in: `=` and the tag of the session that answered last, or empty while none has. */
export type Tag = string

const random = (): string => Math.random().toString(36).slice(2)

/**
 * Where entries wait that could not be sent, shared by all tabs of the origin: one localStorage record for each batch put
 * aside, so that no tab ever rewrites what another one wrote. The key is `<name>|<time>|<random>`. The first line tells
 * whose it is (see client.ts): `=<tag>`, `?=<last tag>~<page>` while that is not known, `!~<page>` if only that page can
 * tell any more. Each further line is an entry. Where storage is denied or full the entries wait in memory.
 */
export function createStore(name: string, drop: (entry: string, reason: 'overflow' | 'expired') => void) {
  const page = random()
  let box: Record<string, string> | undefined

  const open = (): Record<string, string> => {
    try {
      // Not before the first use: the first touch of localStorage reads a file.
      box ??= localStorage as unknown as Record<string, string>
    } catch {}
    // Some web views have null there.
    box ??= {}
    return box
  }
  const save = (key: string, value: string): void => {
    try {
      open()[key] = value
    } catch {
      box = { [key]: value }
    }
  }
  const remove = (key: string): string[] => {
    const lines = open()[key]!.split('\n')
    delete open()[key]
    return lines.slice(1)
  }
  /** Keys of what waits, newest first, once what is too old or too much beside `size` more has been given up. */
  const keys = (size = 0): string[] =>
    Object.keys(open())
      .sort()
      .reverse()
      .filter(key => {
        const [start, time] = key.split('|')
        if (start !== name || !time) return false
        const old = +time < Date.now() - MAX_AGE
        size += open()[key]!.length
        if (!old && size < MAX_CHARS) return true
        for (const entry of remove(key)) drop(entry, old ? 'expired' : 'overflow')
        return false
      })

  /** Values that the tabs share. */
  const recall = (what: string): string => open()[name + what] ?? ''
  const remember = (what: string, value: string): void => {
    if (recall(what) !== value) save(name + what, value)
  }

  return {
    recall,
    remember,

    /** Puts a batch aside, behind what waits already; where that becomes too much the oldest is given up. Never throws. */
    put(entries: string[], tag: Tag): void {
      if (!entries[0]) return
      const value = [tag || `?${recall('?')}~${page}`, ...entries].join('\n')
      keys(value.length)
      save(`${name}|${Date.now()}|${random()}`, value)
    },

    /** Whether anything waits that may go while `tag` is signed in, or while nobody knows who is. */
    holds: (tag: Tag): boolean =>
      keys().some(key => {
        const whose = open()[key]!.split('\n', 1)[0]!
        return whose === tag || whose[0] === '?' || (!tag && whose[0] !== '!')
      }),

    /**
     * Takes the oldest entries of the user, at most about `count` and `chars` unless one record alone is larger. One tab
     * at a time, and what is taken is gone for the others.
     */
    async take(tag: Tag, count: number, chars: number): Promise<string[]> {
      const grab = (): string[] => {
        let batch: string[] = []
        let full = false
        for (const key of keys().reverse()) {
          let [whose, ...entries] = open()[key]!.split('\n')
          if (whose![0] !== '=') {
            // Now it comes out: this page's own, or the last user's that the browser knew, or who knows whose.
            const [last, writer] = whose!.split('~')
            whose = writer === page || last === '?' || last === `?${tag}` ? tag : `!~${writer}`
            save(key, [whose, ...entries].join('\n'))
          }
          if (whose === tag && !full) {
            entries = [...batch, ...entries]
            full = !!batch[0] && (entries.length > count || `${entries}`.length > chars)
            if (!full) {
              batch = entries
              remove(key)
            }
          }
        }
        return batch
      }
      // A frame without an origin has locks that refuse, and nobody to share with.
      if (navigator.locks) return navigator.locks.request(name, grab).catch(grab)
      // Plain http has no Web Locks: the last tab to raise its hand goes, once all hands are seen.
      const hand = random()
      remember('!', hand)
      await new Promise(done => setTimeout(done, 99))
      return recall('!') === hand ? grab() : []
    }
  }
}

export type Store = ReturnType<typeof createStore>
