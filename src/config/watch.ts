/**
 * Tells when files changed, however they were changed: written in place, replaced by a rename as editors do, or by the
 * switch of a symlink in a directory above as Kubernetes does. Directories are watched rather than files, because a
 * watched file that is replaced is never heard of again.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { type FSWatcher, realpathSync, statSync, watch as watchDirectory } from "node:fs"
import { dirname, resolve } from "node:path"

/** Several writes in a row are one change. */
export const debounceMillis = 250
/** Where the system tells nothing (network file systems), looking tells. */
export const pollMillis = 5_000

/** What a file looks like from outside; changes whenever its content may have. */
const stamp = (path: string): string => {
  try {
    const { ctimeMs, ino, mtimeMs, size } = statSync(path)
    return `${realpathSync(path)} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return "absent"
  }
}

const directoriesOf = (path: string): ReadonlyArray<string> => {
  const directories = [dirname(resolve(path))]
  try {
    // A symlink may lead through several directories, each of which can be switched.
    directories.push(dirname(realpathSync(path)), dirname(dirname(realpathSync(path))))
  } catch {
    // Absent for now: its directory is watched for it to come.
  }
  return directories
}

/** Emits once after each burst of changes to any of the files; `paths` is asked again after each. */
export const changes = (paths: () => ReadonlyArray<string>): Stream.Stream<void> =>
  Stream.callback<void>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const watchers = new Map<string, FSWatcher>()
        const stamps = new Map<string, string>()
        let timer: NodeJS.Timeout | undefined

        const look = (): void => {
          timer = undefined
          const current = paths()
          let changed = false
          for (const path of current) {
            const now = stamp(path)
            const before = stamps.get(path)
            stamps.set(path, now)
            if (before !== undefined && before !== now) changed = true
          }
          rewatch(current)
          if (changed) Queue.offerUnsafe(queue, undefined)
        }
        const soon = (): void => {
          clearTimeout(timer)
          timer = setTimeout(look, debounceMillis)
        }
        const rewatch = (current: ReadonlyArray<string>): void => {
          const wanted = new Set(current.flatMap(directoriesOf))
          for (const [directory, watcher] of watchers) {
            if (wanted.has(directory)) continue
            watcher.close()
            watchers.delete(directory)
          }
          for (const directory of wanted) {
            if (watchers.has(directory)) continue
            try {
              const watcher = watchDirectory(directory, { persistent: false }, soon)
              watcher.on("error", () => {
                watcher.close()
                watchers.delete(directory)
              })
              watchers.set(directory, watcher)
            } catch {
              // Polling covers a directory that cannot be watched.
            }
          }
        }
        look()
        const poll = setInterval(look, pollMillis)
        poll.unref()
        return () => {
          clearInterval(poll)
          clearTimeout(timer)
          for (const watcher of watchers.values()) watcher.close()
        }
      }),
      (stop) => Effect.sync(stop),
    ),
  )
