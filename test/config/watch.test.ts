import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { stampSync } from "../../src/config/stamp.ts"
import { watch, type Watching } from "../../src/config/watch.ts"
import { makeDirectory } from "../e2e/standalone.ts"

let directory = ""
let watching: Watching | undefined
beforeEach(() => void (directory = makeDirectory()))
afterEach(() => {
  watching?.stop()
  fs.rmSync(directory, { recursive: true })
})

/** What the file held whenever a change was told. */
const following = (file: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let seen = new Map([[file, stampSync(file)]])
  watching = watch(
    () => seen,
    () => {
      seen = new Map([[file, stampSync(file)]])
      found.push(fs.readFileSync(file, "utf8"))
    },
  )
  return found
}

it("a file that is emptied before it is written is told of when it is written, even if it is looked at in between", async () => {
  const file = path.join(directory, "config.yaml")
  fs.writeFileSync(file, "old")
  const found = following(file)
  fs.writeFileSync(file, "")
  watching?.look()
  await new Promise<void>((resolve) =>
    setTimeout(() => {
      watching?.look()
      fs.writeFileSync(file, "new")
      watching?.look()
      resolve()
    }, 20),
  )
  await expect.poll(() => found, { timeout: 20_000 }).toEqual(["new"])
})
