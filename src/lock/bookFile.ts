/** Lock files on disk: whoever writes one is alone with it, and nobody ever sees half of it. */
import { open, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { blank, locksFailure, type LocksFailure, type Page } from "../../stages/ports/Locks.ts"
import { BrokenLock, change, type Pages, read } from "./lockFile.ts"
import { sha256 } from "./storedLocks.ts"

/** A larger file is not one that people read. */
const bytesMax = 64 * 1024 * 1024
const waitMillisMax = 5_000
/** Nobody writes for so long: he has died with the lock in his hand. */
const abandonedMillis = 10_000

interface Known {
  readonly stamp: string
  readonly text: string
  readonly pages: Pages
  readonly revisions: ReadonlyMap<string, string>
}

const codeOf = (cause: unknown): unknown => (cause instanceof Error ? Reflect.get(cause, "code") : undefined)

const why = (path: string, cause: unknown): LocksFailure =>
  cause instanceof BrokenLock
    ? locksFailure("unusable", `${path}: ${cause.message}`)
    : isFailure(cause)
      ? cause
      : locksFailure("unusable", `${path}: ${cause instanceof Error ? cause.message : String(cause)}`)

const isFailure = (value: unknown): value is LocksFailure =>
  typeof value === "object" && value !== null && Reflect.get(value, "_tag") === "LocksFailure"

const pageOf = (known: Known | undefined, server: string): Page => {
  const page = known?.pages.get(server)
  return page === undefined ? blank : { ...page, passes: [], revision: known?.revisions.get(server) ?? "" }
}

export class BookFile {
  readonly path: string
  private known: Known | undefined

  constructor(path: string) {
    this.path = path
  }

  /** Rejects with a failure where the file cannot be relied upon. */
  async page(server: string): Promise<Page> {
    return pageOf(await this.load(), server)
  }

  async servers(): Promise<ReadonlyMap<string, Page>> {
    const known = await this.load()
    return new Map([...(known?.pages.keys() ?? [])].map((server) => [server, pageOf(known, server)]))
  }

  /** Undefined: what stands there is of another revision by now. */
  async write(server: string, page: Pick<Page, "pins" | "met">, revision: string): Promise<Page | undefined> {
    return this.alone(async () => {
      const before = await this.load()
      if (pageOf(before, server).revision !== revision) return undefined
      const text = change(before?.text, server, page)
      // What was written must be readable, or it is not written.
      read(text)
      const draft = `${this.path}.${process.pid}.${sha256(text).slice(0, 8)}.tmp`
      await writeFile(draft, text, { flag: "w" })
      await rename(draft, this.path)
      this.known = undefined
      return pageOf(await this.load(), server)
    })
  }

  private async load(): Promise<Known | undefined> {
    try {
      const { ino, mtimeNs, size } = await stat(this.path, { bigint: true })
      const stamp = `${ino} ${mtimeNs} ${size}`
      if (this.known?.stamp === stamp) return this.known
      if (size > bytesMax) throw new BrokenLock(`it is larger than ${bytesMax} bytes`)
      const text = await readFile(this.path, "utf8")
      const pages = read(text)
      const revisions = new Map(
        Array.from(pages, ([server, page]) => [server, sha256(JSON.stringify([page.met, page.pins]))] as const),
      )
      this.known = { stamp, text, pages, revisions }
      return this.known
    } catch (cause) {
      // A lock that was there and is gone was taken away by somebody: that approves nothing.
      if (codeOf(cause) === "ENOENT") {
        if (this.known === undefined) return undefined
        throw locksFailure("unusable", `${this.path}: it was there, and is gone; start again to begin a new one`)
      }
      throw why(this.path, cause)
    }
  }

  private async alone<A>(work: () => Promise<A>): Promise<A> {
    const mark = `${this.path}.writing`
    const untilMillis = performance.now() + waitMillisMax
    for (;;) {
      try {
        await (await open(mark, "wx")).close()
        break
      } catch (cause) {
        if (codeOf(cause) !== "EEXIST") throw locksFailure("unavailable", `${mark}: ${String(cause)}`)
      }
      const since = await stat(mark).catch(() => undefined)
      if (since !== undefined && Date.now() - since.mtimeMs > abandonedMillis) await rm(mark, { force: true })
      else if (performance.now() > untilMillis) {
        throw locksFailure("unavailable", `${this.path} is being written by somebody else; remove ${mark} if nobody is`)
      } else await sleep(10)
    }
    try {
      return await work()
    } catch (cause) {
      throw why(this.path, cause)
    } finally {
      await rm(mark, { force: true })
    }
  }
}
