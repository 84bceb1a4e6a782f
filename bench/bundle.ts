/** The gateway as one folder of few files, as an image would carry it. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { rolldown } from "rolldown"
import type { Lab } from "./Lab.ts"

const root = join(import.meta.dirname, "..")

/** Threads are found beside whatever starts them, so everything lies in one folder. */
const inputs = {
  main: "src/main.ts",
  loadThread: "src/config/loadThread.ts",
  worker: "src/workers/worker.ts",
}

/** Where its main file is. */
export const bundled = async (lab: Lab): Promise<string> => {
  const input: Record<string, string> = {}
  for (const [name, file] of Object.entries(inputs)) {
    if (existsSync(join(root, file))) input[name] = join(root, file)
  }
  const dir = join(lab.folder, "bundle")
  const bundle = await rolldown({ input, platform: "node", logLevel: "silent" })
  await bundle.write({
    dir,
    format: "esm",
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
  })
  await bundle.close()
  return join(dir, "main.js")
}
