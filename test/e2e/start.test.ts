/** What `npm start` chooses to run: a build of the sources while they are what it was made of, and else the sources. */
import { execFile, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { makeDirectory } from "./standalone.ts"

const starter = fileURLToPath(new URL("../../src/start.cjs", import.meta.url))
const folders: Array<string> = []
afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true })
})

let root: string
const at = (file: string): string => path.join(root, file)

const listed = (file: string) => {
  const { mtimeMs, size } = fs.statSync(at(file))
  return {
    size,
    modified: mtimeMs,
    digest: createHash("sha1")
      .update(fs.readFileSync(at(file)))
      .digest("hex"),
  }
}

const build = "node_modules/.cache/sluice/build"

const list = (node = process.version): void =>
  fs.writeFileSync(
    at(`${build}/madeOf.json`),
    JSON.stringify({ node, files: { "src/main.ts": listed("src/main.ts"), "package.json": listed("package.json") } }),
  )

beforeEach(() => {
  root = makeDirectory()
  folders.push(root)
  fs.mkdirSync(at("src"))
  fs.mkdirSync(at(build), { recursive: true })
  fs.copyFileSync(starter, at("src/start.cjs"))
  fs.writeFileSync(at("package.json"), JSON.stringify({ type: "module" }))
  fs.writeFileSync(at("src/main.ts"), 'const told: string = "sources"\nconsole.log(told)\n')
  fs.writeFileSync(at(`${build}/package.json`), "{}")
  fs.writeFileSync(at(`${build}/main.js`), 'console.log("build", ...process.argv.slice(2))\n')
  list()
})

const started = async (env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [at("src/start.cjs"), "-f", "x"], {
    env: { ...process.env, ...env },
  })
  return stdout.trim()
}

describe("npm start", { timeout: 60_000 }, () => {
  it("runs the build with its flags, also in a copy, whose files are younger", async () => {
    expect(await started()).toBe("build -f x")
    fs.utimesSync(at("src/main.ts"), new Date(0), new Date(0))
    expect(await started()).toBe("build -f x")
  })

  it("ends with the shell that npm puts in between, which keeps the signal to itself", async () => {
    fs.writeFileSync(
      at(`${build}/main.js`),
      'process.on("SIGTERM", () => process.exit(console.log("drained")))\nsetTimeout(() => process.exit(console.log("alone")), 15_000)\nconsole.log("serving")\n',
    )
    const shell = spawn("sh", ["-c", `"${process.execPath}" "${at("src/start.cjs")}"; true`], {
      env: { ...process.env, npm_lifecycle_event: "start" },
      stdio: ["ignore", "pipe", "inherit"],
    })
    let out = ""
    for await (const text of shell.stdout.setEncoding("utf8")) {
      out += text
      if (out === "serving\n") shell.kill("SIGTERM")
    }
    expect(out).toBe("serving\ndrained\n")
  })

  it("runs the sources once one has changed, if only in its characters", async () => {
    fs.writeFileSync(at("src/main.ts"), 'const told: string = "SOURCES"\nconsole.log(told)\n')
    expect(await started()).toBe("SOURCES")
  })

  it("runs the sources when they are asked for", async () => {
    expect(await started({ SLUICE_SOURCES: "1" })).toBe("sources")
  })

  it("runs the sources where the build is of another Node, of files that are gone, or not whole", async () => {
    list("v1.0.0")
    expect(await started()).toBe("sources")
    fs.writeFileSync(at("src/more.ts"), "")
    const files = { "src/more.ts": listed("src/more.ts") }
    fs.writeFileSync(at(`${build}/madeOf.json`), JSON.stringify({ node: process.version, files }))
    expect(await started()).toBe("build -f x")
    fs.rmSync(at("src/more.ts"))
    expect(await started()).toBe("sources")
    fs.writeFileSync(at(`${build}/madeOf.json`), '{"node":')
    expect(await started()).toBe("sources")
    fs.rmSync(at(build), { recursive: true })
    expect(await started()).toBe("sources")
  })
})
