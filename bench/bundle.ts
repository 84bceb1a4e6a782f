/** The gateway as one folder of few files, as an image would carry it. */
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { rolldown } from "rolldown"
import type { Lab } from "./Lab.ts"

const root = join(import.meta.dirname, "..")

const besides = /"\.\/(\w+)\.ts" : "\.\/\1\.js"/g

/** What the gateway starts beside itself it finds beside whatever starts it, so everything lies in one folder. */
const inputs = (): Record<string, string> => {
  const found: Record<string, string> = { main: join(root, "src/main.ts") }
  for (const file of globSync("src/**/*.ts", { cwd: root })) {
    for (const [, name = ""] of readFileSync(join(root, file), "utf8").matchAll(besides)) {
      found[name] = join(root, dirname(file), `${name}.ts`)
    }
  }
  return found
}

/** Where its main file is. */
export const bundled = async (lab: Lab): Promise<string> => {
  const dir = join(lab.folder, "bundle")
  const bundle = await rolldown({ input: inputs(), platform: "node", logLevel: "silent" })
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
