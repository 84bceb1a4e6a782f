/** The admin API against a gateway with a file: what is there, what would change, what is changed and taken back. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { get, makeDirectory, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const folder = makeDirectory()
const file = join(folder, "config.yaml")
let gateway: Standalone
let admin: string
let port: number
let before: string

beforeAll(async () => {
  port = await freePort()
  before = `# The gateway of the shop.
binds:
- port: ${port} # as agreed
  listeners:
  - name: main
    routes:
    - name: hello # says hello
      policies: {directResponse: {status: 200, body: hello}}
policies: []
`
  writeFileSync(file, before)
  gateway = await new Standalone({ args: ["-f", file], env: { SLUICE_ADMIN_TOKEN: "open-sesame-1" } }).serving()
  admin = /^ +admin +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
}, 60_000)
afterAll(() => {
  gateway.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

// What the API answers is looked into without being described a second time.
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

const token = { authorization: "Bearer open-sesame-1" }
const post = async (path: string, body: unknown, headers: Record<string, string> = token) => {
  const reply = await fetch(`${admin}/api/${path}`, { method: "POST", body: JSON.stringify(body), headers })
  return { status: reply.status, body: (await reply.json().catch(() => undefined)) as Loose }
}
const hello = async () => (await get(`http://127.0.0.1:${port}/`)).body

const body = (text: string) => ({
  edits: [{ set: ["binds", 0, "listeners", 0, "routes", 0, "policies", "directResponse", "body"], value: text }],
})

describe("the admin API", () => {
  it("describes itself: every path, its parameters and bodies", async () => {
    const description = JSON.parse((await get(`${admin}/api/openapi.json`)).body)
    expect(description.openapi).toBe("3.1.0")
    const paths = Object.keys(description.paths)
    for (const path of [
      "/api/config",
      "/api/config/plan",
      "/api/logs/search",
      "/api/explain/{id}",
      "/api/profile/cpu",
    ]) {
      expect(paths).toContain(path)
    }
    const search = description.paths["/api/logs/search"].post
    expect(search.requestBody.content["application/json"].schema).toBeDefined()
    expect(search.security).toEqual([{ token: [] }])
    expect(description.paths["/api/status"].get.security).toBeUndefined()
    const text = JSON.stringify(description)
    const refs = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
    expect(refs.length).toBeGreaterThan(0)
    for (const name of refs) expect(description.components.schemas).toHaveProperty(String(name))
  })

  it("changes nothing for whoever has no token, and reads nothing for a page of another origin", async () => {
    for (const headers of [{}, { authorization: "Bearer wrong" }] as ReadonlyArray<Record<string, string>>) {
      expect((await post("config", body("stolen"), headers)).status).toBe(401)
      expect((await post("drain", {}, headers)).status).toBe(401)
    }
    expect((await post("config", body("x"), { ...token, origin: "http://evil.example" })).status).toBe(403)
    expect((await get(`${admin}/api/config/text`)).status).toBe(401)
    expect((await get(`${admin}/api/status`, { headers: { host: "evil.example" } })).status).toBe(403)
    expect((await get(`${admin}/api/nothing`)).status).toBe(404)
    expect((await get(`${admin}/api/drain`)).status).toBe(405)
    expect(await hello()).toBe("hello")
  })

  it("says what is wrong with a configuration, and what a good one would change", async () => {
    const wrong = await post("config/validate", { text: "gateways: {x: {port: 1, nonsense: true}}" })
    expect(wrong.body).toMatchObject({
      valid: false,
      issues: [{ severity: "error", line: 1, path: "gateways.x.nonsense" }],
    })
    const plan = await post("config/plan", body("planned"))
    expect(plan.body).toMatchObject({ valid: true, isEmpty: false, needsRestart: false })
    expect(Object.keys(plan.body.changes)).toEqual(["routes"])
    expect(plan.body.changes.routes.changed).toHaveLength(1)
    expect(readFileSync(file, "utf8")).toBe(before)
    expect((await post("config/plan", {})).status).toBe(400)
  })

  it("applies a change, keeps the comments, and takes it back", async () => {
    const applied = await post("config", body("goodbye"))
    expect(applied.body).toMatchObject({ applied: true, version: 2 })
    expect(await hello()).toBe("goodbye")
    expect(readFileSync(file, "utf8")).toBe(before.replace("body: hello", "body: goodbye"))
    expect((await post("config/rollback", {})).body).toMatchObject({ applied: true })
    expect(await hello()).toBe("hello")
    expect(readFileSync(file, "utf8")).toBe(before)
    expect((await post("config/rollback", {})).status).toBe(409)
  }, 180_000)

  it("applies a whole configuration as JSON by the smallest edits", async () => {
    const config = JSON.parse((await get(`${admin}/api/config`)).body)
    config.binds[0].listeners[0].routes.push({
      name: "bye",
      matches: [{ path: { exact: "/bye" } }],
      policies: { directResponse: { status: 200, body: "bye" } },
    })
    expect((await post("config", { config })).body).toMatchObject({ applied: true })
    expect((await get(`http://127.0.0.1:${port}/bye`)).body).toBe("bye")
    const text = readFileSync(file, "utf8")
    for (const comment of ["# The gateway of the shop.", "# as agreed", "# says hello"]) expect(text).toContain(comment)
  }, 180_000)

  it("keeps what serves, and the file, when a change is refused", async () => {
    const kept = readFileSync(file, "utf8")
    const refused = await post("config", { edits: [{ set: ["binds", 0, "port"], value: "no port" }] })
    expect(refused.status).toBe(422)
    expect(refused.body.issues[0]).toMatchObject({ severity: "error", path: "binds[0].port" })
    // Valid as text, but its port is taken by another.
    const taken = await post("config", { edits: [{ set: ["binds", 0, "port"], value: Number(new URL(admin).port) }] })
    expect(taken).toMatchObject({ status: 422, body: { applied: false } })
    expect(readFileSync(file, "utf8")).toBe(kept)
    expect(await hello()).toBe("hello")
    // Nor is the next one blamed for it.
    expect((await post("config", body("next"))).body).toMatchObject({ applied: true })
    expect(await hello()).toBe("next")
    expect((await post("config/rollback", {})).body).toMatchObject({ applied: true })
    expect(await hello()).toBe("hello")
  }, 180_000)

  it("mends a file that somebody broke by hand", async () => {
    const kept = readFileSync(file, "utf8")
    writeFileSync(file, "routes: [")
    await until(async () => (await gateway.dump()).problems.length > 0)
    expect((await post("config", { text: kept })).body).toMatchObject({ applied: true })
    expect(readFileSync(file, "utf8")).toBe(kept)
    expect((await gateway.dump()).problems).toEqual([])
    expect(await hello()).toBe("hello")
  }, 180_000)

  it("shows how it is: threads, targets, connections, and where time goes", async () => {
    const status = JSON.parse((await get(`${admin}/api/status`)).body)
    expect(status).toMatchObject({ pending: [], threads: [{ thread: 0, draining: false }] })
    expect(JSON.parse((await get(`${admin}/api/targets`)).body)).toEqual({ threads: [[]] })
    const profile = await get(`${admin}/api/profile/cpu?seconds=1`, { headers: token })
    expect(JSON.parse(profile.body)).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) })
    const heap = await get(`${admin}/api/profile/heap?seconds=1`, { headers: token })
    expect(JSON.parse(heap.body)).toMatchObject({ head: expect.any(Object) })
  })

  it("changes how much is logged", async () => {
    const reply = await fetch(`${admin}/api/logging`, {
      method: "PUT",
      body: JSON.stringify({ level: "request=off" }),
      headers: token,
    })
    expect(await reply.json()).toEqual({ level: "info,request=off" })
  })
})
