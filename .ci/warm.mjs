/**
 * What a start can find done: a build of the sources for `npm start`, and for sources that were changed since, their code in
 * compiled form, which is kept when it has run once. Without either, a start takes the types out of everything, which takes
 * several times as long and leaves a third more memory in use. Nothing depends on it.
 */
import { hash } from "node:crypto"
import { spawn } from "node:child_process"
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { endOnceItServes, freePort } from "./serving.mjs"

const GIVE_UP_MILLIS = 30_000

const root = join(import.meta.dirname, "..")

const rehearse = async () => {
  const port = await freePort()
  const off = { ADMIN_ADDR: "off", STATS_ADDR: "off", READINESS_ADDR: "off" }
  const gateway = spawn(process.execPath, [join(root, "src/start.cjs")], {
    stdio: "ignore",
    env: { ...process.env, ...off, SLUICE_SOURCES: "1", SLUICE_PORT: String(port), WORKER_THREADS: "1" },
  })
  await endOnceItServes(gateway, port, GIVE_UP_MILLIS)
}

/** Of the packages it is enough to know which were installed. */
const toCompare = (modules) => [
  "package.json",
  "node_modules/.package-lock.json",
  ...[...modules]
    .map((path) => relative(root, path).replaceAll(sep, "/"))
    .filter((path) => /^\w/.test(path) && !path.startsWith("node_modules/")),
]

const asIs = (file) => {
  const path = join(root, file)
  const { mtimeMs, size } = statSync(path)
  return { size, modified: mtimeMs, digest: hash("sha1", readFileSync(path)) }
}

/** The list comes last, so a build that is not whole is not used. */
const build = async () => {
  const cache = join(root, "node_modules/.cache/sluice")
  const [folder, fresh] = [join(cache, "build"), join(cache, `build-${process.pid}`)]
  const { bundle } = await import("./bundle.mjs")
  try {
    const files = Object.fromEntries(toCompare(await bundle(fresh)).map((file) => [file, asIs(file)]))
    writeFileSync(join(fresh, "madeOf.json"), JSON.stringify({ node: process.version, files }))
    rmSync(folder, { recursive: true, force: true })
    renameSync(fresh, folder)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

if (Number(process.versions.node.split(".")[0]) >= 24) {
  const told = (error) => process.stderr.write(`warm: ${error instanceof Error ? error.message : error}\n`)
  await rehearse().catch(told)
  await build().catch(told)
}
