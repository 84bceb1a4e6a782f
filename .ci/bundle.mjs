/**
 * The gateway as one folder of few files, as an image carries it: `node .ci/bundle.mjs [FOLDER]`, `dist/server` unless given.
 * It is run once, so that the code it needs at a start lies beside it in compiled form.
 */
import { spawn, spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { rolldown } from "rolldown"
import { endOnceItServes, freePort } from "./serving.mjs"

const root = join(import.meta.dirname, "..")

const besides = /"\.\/(\w+)\.ts" : "\.\/\1\.js"/g

/** What the gateway starts beside itself it finds beside whatever starts it, so everything lies in one folder. */
const inputs = () => {
  const found = { main: join(root, "src/main.ts") }
  for (const file of globSync("src/**/*.ts", { cwd: root })) {
    for (const [, name] of readFileSync(join(root, file), "utf8").matchAll(besides)) {
      found[name] = join(root, dirname(file), `${name}.ts`)
    }
  }
  return found
}

/**
 * Runs the parts of the bundle from code that was compiled before. Node's own cache of compiled code is filled before a
 * function ever ran, so it lacks nearly all of them; this one is filled when the rehearsal ends.
 */
const loader = `"use strict"
const { readFileSync } = require("node:fs")
const { constants, Script } = require("node:vm")
const { join } = require("node:path")
const parts = new Map()
const read = (file) => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
const load = (name) => {
  const known = parts.get(name)
  if (known !== undefined) return known.exports
  const file = join(__dirname, "code", name)
  const script = new Script("(function (exports, require, module, __filename, __dirname) {\\"use strict\\";" + readFileSync(file, "latin1") + "\\n})", {
    filename: file,
    cachedData: read(file + ".compiled"),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const part = { exports: {}, script }
  parts.set(name, part)
  const find = (id) => (id.startsWith("./") ? load(id.slice(2)) : require(id))
  script.runInThisContext()(part.exports, find, part, join(__dirname, name), __dirname)
  return part.exports
}
module.exports = { load, parts }
`

/** Starts with the bundle what it starts with, and writes down what was compiled for it. */
const rehearsal = `"use strict"
const { writeFileSync } = require("node:fs")
const { join } = require("node:path")
const { load, parts } = require("./load.js")
// Compiled code is good for the flags it was written down under, and it is read before any is set.
require("node:v8").setFlagsFromString = () => {}
process.on("exit", () => {
  for (const [name, { script }] of parts) writeFileSync(join(__dirname, "code", name + ".compiled"), script.createCachedData())
})
load("main.js")
`

/** Compiled code is written down by a process that ends by itself, with all that it had used until then. */
const rehearse = async (folder) => {
  const port = await freePort()
  const config = { adminAddr: "off", statsAddr: "off", readinessAddr: "off", workerThreads: 1 }
  const routes = [{ policies: { directResponse: { status: 200 } } }]
  const text = JSON.stringify({ config, binds: [{ port, listeners: [{ routes }] }] })
  const script = join(folder, "rehearsal.js")
  writeFileSync(script, rehearsal)
  const gateway = spawn(process.execPath, [script, "--config", text], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" },
  })
  const code = await endOnceItServes(gateway, port, 60_000)
  rmSync(script)
  if (code !== 0) throw new Error(`the bundle does not serve: it ended with ${code}`)
}

/** Text with any other character takes two bytes for each, in memory too. */
const inAscii = {
  name: "in-ascii",
  generateBundle: (_, written) => {
    for (const file of Object.values(written)) {
      if (file.type !== "chunk") continue
      file.code = file.code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
    }
  },
}

/** What is required when it is first needed is in the bundle, too, and runs only then. */
const onDemand = {
  name: "on-demand",
  transform: (code) =>
    code.includes('createRequire(import.meta.url)("re2js")')
      ? code.replace('createRequire(import.meta.url)("re2js")', 'require("re2js")')
      : null,
}

/** What was written down remembers where that was; what it is now continued from says where it lies. */
const besideItself = {
  name: "beside-itself",
  transform: (code) =>
    code.includes("createRequire(import.meta.url)")
      ? code.replaceAll("createRequire(import.meta.url)", "createRequire(process.execArgv.at(-1))")
      : null,
}

/** The reader of configuration as it is when its code has been loaded, for this very program to go on from. */
const snapshot = async (folder) => {
  const script = join(folder, "loadProcess.cjs")
  const build = await rolldown({
    input: join(root, "src/config/loadProcess.ts"),
    platform: "node",
    plugins: [onDemand, besideItself],
    logLevel: "silent",
  })
  const { output } = await build.write({
    file: script,
    format: "cjs",
    minify: true,
    codeSplitting: false,
    plugins: [inAscii],
  })
  await build.close()
  const blob = join(folder, `loadProcess-${process.version}-${process.arch}.blob`)
  // The compiled code of what Node brings itself is two thirds of a snapshot, and nearly none of it is needed here.
  const words = join(folder, "loadProcess.json")
  writeFileSync(words, JSON.stringify({ builder: script, withoutCodeCache: true }))
  const { status, stderr } = spawnSync(process.execPath, ["--snapshot-blob", blob, "--build-snapshot-config", words], {
    encoding: "utf8",
    env: {},
  })
  rmSync(words)
  if (status !== 0) throw new Error(`the reader of configuration cannot be written down: ${stderr}`)
  rmSync(script)
  return output
}

/** What reads files of its own that lie beside it is taken along as it is. */
const takenAlong = ["@cedar-policy/cedar-wasm/package.json", "@cedar-policy/cedar-wasm/nodejs"]

/** Which files it was made of. */
export const bundle = async (folder) => {
  rmSync(folder, { recursive: true, force: true })
  const entries = inputs()
  const build = await rolldown({ input: entries, platform: "node", plugins: [onDemand], logLevel: "silent" })
  const { output } = await build.write({
    dir: join(folder, "code"),
    format: "cjs",
    minify: true,
    // Code that is run from memory is warned of, on the console, when it imports anything; what it requires it may have.
    dynamicImportInCjs: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    plugins: [inAscii],
  })
  await build.close()
  const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ name, version, type: "commonjs" })}\n`)
  // Where Node keeps what it compiles itself; without it, it would look for the place that the sources use.
  mkdirSync(join(folder, "cache"))
  writeFileSync(join(folder, "load.js"), loader)
  for (const path of takenAlong) {
    cpSync(join(root, "node_modules", path), join(folder, "node_modules", path), { recursive: true })
  }
  for (const name of Object.keys(entries)) {
    writeFileSync(join(folder, `${name}.js`), `"use strict"\nrequire("./load.js").load("${name}.js")\n`)
  }
  const reader = await snapshot(folder)
  await rehearse(folder)
  return new Set([...output, ...reader].flatMap(({ moduleIds }) => moduleIds ?? []))
}

if (process.argv[1] === import.meta.filename) await bundle(resolve(process.argv[2] ?? join(root, "dist/server")))
