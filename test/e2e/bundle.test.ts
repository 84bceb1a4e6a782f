/** The gateway as an image carries it: one folder that runs wherever it is put. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { command, makeDirectory, Standalone } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const script = fileURLToPath(new URL("../../.ci/bundle.mjs", import.meta.url))

let folder: string
let program: string
beforeAll(async () => {
  folder = makeDirectory()
  const made = path.join(folder, "made")
  await promisify(execFile)(process.execPath, [script, made])
  const moved = path.join(folder, "moved")
  fs.renameSync(made, moved)
  program = path.join(moved, "main.js")
}, 240_000)
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const configuration = (port: number): string => `
gateways: {default: {port: ${port}}}
routes:
- name: models
  matches: [{path: {pathPrefix: /v1}}]
  backends: [{ai: {name: m, provider: {echo: {}}}}]
- name: rules
  matches: [{path: {regex: "/(open|closed)/[0-9]+"}}]
  policies:
    authorization:
      cedar:
        policies: 'permit(principal, action, resource) when { resource.path like "/open/*" };'
    directResponse: {status: 200, body: let in}
`

it("serves what needs an engine of its own or a protocol, without the sources", { timeout: 120_000 }, async () => {
  const port = await freePort()
  const file = path.join(folder, "gateway.yaml")
  fs.writeFileSync(file, configuration(port))
  const gateway = await new Standalone({ program, args: ["-f", file], cwd: folder }).serving()
  try {
    const status = async (at: string) => (await fetch(`http://127.0.0.1:${port}${at}`)).status
    expect(await status("/open/1")).toBe(200)
    expect(await status("/closed/1")).toBe(403)
    expect(await status("/open/one")).toBe(404)
    const reply = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] }),
    })
    expect(await reply.json()).toMatchObject({ choices: [{ message: { role: "assistant" } }] })
  } finally {
    expect(await gateway.stop()).toBe(0)
  }
  // Not even what Node thinks of how its code was loaded.
  expect(gateway.error).toBe("")
})

it("refuses what the sources refuse, in the same words", { timeout: 120_000 }, async () => {
  const file = path.join(folder, "wrong.yaml")
  fs.writeFileSync(file, configuration(1).replace("(open", "((open").replace("permit", "permitt"))
  const [bundled, plain] = await Promise.all([command(["validate", file], { program }), command(["validate", file])])
  expect(bundled.code).toBe(1)
  expect(bundled.error).toContain("regex: missing closing )")
  expect(bundled.error).toContain("cedar")
  expect(bundled).toEqual(plain)
})
