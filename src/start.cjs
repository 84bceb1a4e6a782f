/**
 * What `npm start` runs: the build that was made of these files when they were installed, as long as none of them has
 * changed since, and the files themselves otherwise. It is no TypeScript, because the cache of compiled code has to be in use
 * before the first file of TypeScript is met: with everything in the cache, what takes the types out need not be loaded at all.
 */
const { readFileSync, statSync } = require("node:fs")
const { enableCompileCache } = require("node:module")
const { join } = require("node:path")

const root = join(__dirname, "..")
const cache = join(root, "node_modules/.cache/sluice")
const build = join(cache, "build")

const digestOf = (path) => require("node:crypto").hash("sha1", readFileSync(path))

/** A copy of the files has times of its own, so what is not as old as it was is read. */
const isUnchanged = ([file, { digest, modified, size }]) => {
  const path = join(root, file)
  const found = statSync(path)
  return found.size === size && (found.mtimeMs === modified || digestOf(path) === digest)
}

const isCurrent = () => {
  if (process.env.SLUICE_SOURCES === "1") return false
  try {
    const { files, node } = JSON.parse(readFileSync(join(build, "madeOf.json"), "utf8"))
    return node === process.version && Object.entries(files).every(isUnchanged)
  } catch {
    return false
  }
}

/** npm tells the shell in between that it is to end, and the shell tells nobody: the gateway would go on alone, with its ports. */
const endWithTheShell = () => {
  const { ppid } = process
  const looking = setInterval(() => {
    if (process.ppid === ppid) return
    clearInterval(looking)
    process.kill(process.pid, "SIGTERM")
  }, 500).unref()
}

if (process.env.npm_lifecycle_event !== undefined && process.platform !== "win32") endWithTheShell()
if (isCurrent()) require(join(build, "main.js"))
else {
  enableCompileCache({ directory: cache, portable: true })
  import("./main.ts")
}
