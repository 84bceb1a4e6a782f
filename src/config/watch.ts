/**
 * Tells when files changed, however they were changed: written in place, replaced by a rename as editors do, or by the
 * switch of a symlink in a directory above as Kubernetes does. Directories are watched rather than files, because a
 * watched file that is replaced is never heard of again.
 */
import { type FSWatcher, watch as watchDirectory } from "node:fs"
import { realpath, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { stamp } from "./stamp.ts"

/** Several writes in a row are one change. */
export const debounceMillis = 250
/** A directory in which something always happens must not put off the look for ever. */
export const burstMillis = 1_000
/** Where the system tells nothing (network file systems), looking tells. */
export const pollMillis = 5_000

export interface Watching {
  /** Looks at once, at whatever is to be watched now. */
  readonly look: () => void
  readonly stop: () => void
}

const directoriesOf = async (path: string): Promise<ReadonlyArray<string>> => {
  const directories = [dirname(resolve(path))]
  try {
    const real = await realpath(path)
    // A symlink may lead through several directories, each of which can be switched.
    if (real !== resolve(path)) directories.push(dirname(real), dirname(dirname(real)))
  } catch {
    // Absent for now: its directory is watched for it to come.
  }
  return directories
}

interface Watched {
  readonly watcher: FSWatcher
  /** A directory that was made anew has another one, and must be watched anew. */
  readonly inode: number
}

/** `read` tells which files were read last, and the stamp each had just before. */
export const watch = (read: () => ReadonlyMap<string, string>, changed: () => void): Watching => {
  const watchers = new Map<string, Watched>()
  /** What was told already, until it has been read. */
  const told = new Map<string, string>()
  /** What differed while it was still being written, perhaps, and since when it has looked like that. */
  const glimpsed = new Map<string, { readonly stamp: string; readonly sinceMillis: number }>()
  let timer: NodeJS.Timeout | undefined
  let burstSince = 0
  let stopped = false
  let looking = false
  let lookAgain = false

  const forget = (directory: string): void => {
    watchers.get(directory)?.watcher.close()
    watchers.delete(directory)
  }

  const rewatch = async (paths: Iterable<string>): Promise<void> => {
    const wanted = new Map<string, number>()
    for (const path of paths) {
      for (const directory of await directoriesOf(path)) {
        if (wanted.has(directory)) continue
        try {
          wanted.set(directory, (await stat(directory)).ino)
        } catch {
          // Polling covers a directory that is not there.
        }
      }
    }
    if (stopped) return
    for (const [directory, { inode }] of watchers) if (wanted.get(directory) !== inode) forget(directory)
    for (const [directory, inode] of wanted) {
      if (watchers.has(directory)) continue
      try {
        const watcher = watchDirectory(directory, { persistent: false }, soon)
        watcher.on("error", () => forget(directory))
        watchers.set(directory, { watcher, inode })
      } catch {
        // Polling covers a directory that cannot be watched.
      }
    }
  }

  /** Whoever writes a file often empties it first, so a change is told of when it has looked the same for a while. */
  const lookOnce = async (isQuiet: boolean): Promise<void> => {
    const files = read()
    // Watched first, looked at second: a change in between is seen by the one or told by the other.
    await rewatch(files.keys())
    let isChanged = false
    let isUnsettled = false
    for (const [path, before] of files) {
      const now = await stamp(path)
      if (now === before || now === told.get(path)) continue
      const glimpse = glimpsed.get(path)
      const sinceMillis = glimpse?.stamp === now ? glimpse.sinceMillis : performance.now()
      if (isQuiet || performance.now() - sinceMillis >= debounceMillis) {
        told.set(path, now)
        glimpsed.delete(path)
        isChanged = true
      } else {
        glimpsed.set(path, { stamp: now, sinceMillis })
        isUnsettled = true
      }
    }
    for (const known of [told, glimpsed]) for (const path of known.keys()) if (!files.has(path)) known.delete(path)
    if (isUnsettled) soon()
    if (isChanged && !stopped) changed()
  }

  const look = async (isQuiet = false): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    lookAgain = looking
    if (looking || stopped) return
    looking = true
    await lookOnce(isQuiet)
    looking = false
    if (lookAgain) await look()
  }

  const soon = (): void => {
    if (stopped) return
    const now = performance.now()
    if (timer === undefined) burstSince = now
    else clearTimeout(timer)
    const left = burstSince + burstMillis - now
    timer = setTimeout(() => void look(left >= debounceMillis), Math.max(0, Math.min(debounceMillis, left)))
  }

  const poll = setInterval(() => void look(), pollMillis)
  poll.unref()
  void look()
  return {
    look: () => void look(),
    stop: () => {
      stopped = true
      clearInterval(poll)
      clearTimeout(timer)
      for (const directory of watchers.keys()) forget(directory)
    },
  }
}
