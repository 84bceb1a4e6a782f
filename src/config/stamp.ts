/** What a file looks like from outside; changes whenever its content may have. */
import { realpathSync, statSync } from "node:fs"
import { realpath, stat } from "node:fs/promises"

interface Outside {
  readonly ctimeMs: number
  readonly ino: number
  readonly mtimeMs: number
  readonly size: number
}

const absent = "absent"

const text = (path: string, { ctimeMs, ino, mtimeMs, size }: Outside): string =>
  `${path} ${ino} ${size} ${mtimeMs} ${ctimeMs}`

/** Taken before reading, so that a change while it is read is not missed. */
export const stampSync = (path: string): string => {
  try {
    return text(realpathSync(path), statSync(path))
  } catch {
    return absent
  }
}

/** The same without holding anything up: a file system may take its time. */
export const stamp = async (path: string): Promise<string> => {
  try {
    return text(await realpath(path), await stat(path))
  } catch {
    return absent
  }
}
