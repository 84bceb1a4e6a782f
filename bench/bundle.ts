/** The gateway as an image carries it, made anew for this run. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import type { Lab } from "./Lab.ts"

/** Where its main file is. */
export const bundled = (lab: Lab): string => {
  const folder = join(lab.folder, "bundle")
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, "../.ci/bundle.mjs"), folder], {
    stdio: ["ignore", "ignore", "inherit"],
  })
  if (status !== 0) throw new Error("the bundle could not be made")
  return join(folder, "main.js")
}
