/** What an administrator does to a gateway that runs: sessions, caches, targets, keys, budgets and fibers, over the API. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { answerOf, ask, begin, legacy, type Scripted, scripted } from "../mcp/harness.ts"
import { Described } from "./described.ts"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

// What the API answers is looked into without being described a second time.
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

const folder = makeDirectory()
let tools: Scripted
let upstream: http.Server
let upstreamPort: number
let gateway: Standalone
let port: number
let admin: string

let described: Described | undefined
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const token = { authorization: "Bearer open-sesame-2" }
const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = token) => {
  const reply = await fetch(`${admin}/api/${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await reply.text()
  described?.hold(method, path, reply.status, reply.headers.get("content-type"), text)
  return { status: reply.status, body: (text === "" ? undefined : parsed(text)) as Loose }
}

beforeAll(async () => {
  tools = await scripted(
    legacy((turn) =>
      turn.message.method === "tools/list"
        ? turn.result({ tools: [{ name: "get", inputSchema: { type: "object" } }] })
        : turn.result({ content: [] }),
    ),
  )
  upstream = http.createServer((_, response) => response.end("hello"))
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  upstreamPort = (upstream.address() as AddressInfo).port
  port = await freePort()
  const text = `
config: {database: {url: "sqlite://${join(folder, "data.db")}"}}
binds:
- port: ${port}
  listeners:
  - routes:
    - matches: [{path: {pathPrefix: /mcp}}]
      backends: [{mcp: {targets: [{name: tools, mcp: {host: "${tools.url}"}}]}}]
    - backends: [{host: "127.0.0.1:${upstreamPort}"}]
`
  gateway = await new Standalone({ args: ["-c", text], env: { SLUICE_ADMIN_TOKEN: "open-sesame-2" } }).serving()
  admin = /^ +admin +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
  described = await Described.of(admin)
}, 60_000)
afterAll(async () => {
  gateway.kill("SIGKILL")
  await tools.close()
  upstream.closeAllConnections()
  upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

describe("the admin API of a gateway at work", () => {
  it("lets nobody in without a token, where something is shown of clients or changed", async () => {
    for (const [method, path] of [
      ["GET", "mcp/sessions"],
      ["DELETE", "mcp/sessions/x"],
      ["DELETE", "caches"],
      ["DELETE", "caches/mcp-lists"],
      ["POST", "targets/probe"],
      ["POST", "targets/reconnect"],
      ["GET", "fibers"],
      ["GET", "keys"],
      ["POST", "keys"],
      ["DELETE", "keys/x"],
      ["GET", "budgets"],
      ["GET", "profile/heap"],
    ] as const) {
      expect((await call(method, path, method === "POST" ? {} : undefined, {})).status, `${method} ${path}`).toBe(401)
    }
    const { body: description } = await call("GET", "openapi.json")
    for (const [path, operations] of Object.entries<Loose>(description.paths)) {
      for (const [method, { security }] of Object.entries<Loose>(operations)) {
        if (method !== "get") expect(security, `${method} ${path}`).toEqual([{ token: [] }])
      }
    }
  })

  it("lists sessions without their names, and ends one", async () => {
    const url = `http://127.0.0.1:${port}/mcp`
    const [one, other] = [await begin(url), await begin(url)]
    await one.request("tools/list")
    const { body } = await call("GET", "mcp/sessions")
    expect(body.sessions).toHaveLength(2)
    expect(body.sessions[0]).toMatchObject({ thread: 0, backend: expect.any(String), running: 0, streams: 0 })
    expect(JSON.stringify(body)).not.toContain(one.id)
    const ids = body.sessions.map(({ id }: Loose) => id)
    expect(await call("DELETE", `mcp/sessions/${ids[0]}`)).toEqual({ status: 200, body: { ended: true } })
    expect((await call("DELETE", `mcp/sessions/${ids[0]}`)).status).toBe(404)
    const statuses = [(await one.request("tools/list")).status, (await other.request("tools/list")).status]
    expect(statuses.toSorted()).toEqual([200, 404])
    expect((await call("GET", "mcp/sessions")).body.sessions.map(({ id }: Loose) => id)).toEqual([ids[1]])
  })

  it("tells what is kept of others' answers, and empties it", async () => {
    const entries = async (): Promise<number> =>
      (await call("GET", "caches")).body.caches.find(({ name }: Loose) => name === "mcp-lists").entries
    await ask(`http://127.0.0.1:${port}/mcp`, "tools/list")
    expect(await entries()).toBeGreaterThan(0)
    expect((await call("DELETE", "caches/nothing")).status).toBe(404)
    expect((await call("DELETE", "caches/mcp-lists")).status).toBe(200)
    expect(await entries()).toBe(0)
    await ask(`http://127.0.0.1:${port}/mcp`, "tools/list")
    expect((await call("DELETE", "caches")).status).toBe(200)
    expect(await entries()).toBe(0)
  })

  it("connects to targets to see how they are, and says why one cannot be reached", async () => {
    await (await fetch(`http://127.0.0.1:${port}/`)).text()
    const target = `127.0.0.1:${upstreamPort}`
    const found = (await call("POST", "targets/probe", { target })).body.threads.flat()
    expect(found).toEqual([{ target, kind: "endpoint", isTls: false, millis: expect.any(Number) }])
    expect((await call("POST", "targets/probe", { target: "nowhere:1" })).status).toBe(404)
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    const all = (await call("POST", "targets/probe", {})).body.threads.flat()
    expect(all.find((one: Loose) => one.target === target)?.error).toEqual(expect.any(String))
    await new Promise<void>((resolve) => upstream.listen(upstreamPort, "127.0.0.1", resolve))
    expect((await call("POST", "targets/reconnect", { target })).body).toEqual({ reconnected: 1 })
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("hello")
  })

  it("takes a server back that was left alone after it failed, which metrics and targets say", async () => {
    const url = `http://127.0.0.1:${port}/mcp`
    const state = async (): Promise<Loose> =>
      (await call("GET", "targets")).body.threads.flat().find(({ kind }: Loose) => kind === "mcp")
    const name: string = (await state()).target
    expect((await state()).evictedMillis).toBeUndefined()
    const at = tools.port
    await tools.close()
    await until(async () => {
      await ask(url, "tools/call", { name: "get", arguments: {} })
      return (await state()).evictedMillis !== undefined
    })
    expect(await gateway.metric("target_evicted", `target="${name}"`)).toBe(1)
    tools = await scripted(
      legacy((turn) => turn.result({ content: [{ type: "text", text: "back" }] })),
      undefined,
      at,
    )
    expect(answerOf(await ask(url, "tools/call", { name: "get", arguments: {} })).error).toBeDefined()
    expect((await call("POST", "targets/reconnect", { target: name })).body).toEqual({ reconnected: 1 })
    expect(answerOf(await ask(url, "tools/call", { name: "get", arguments: {} })).result).toBeDefined()
    expect(await gateway.metric("target_evicted", `target="${name}"`)).toBe(0)
  })

  it("gives out keys, lists them without what they are, and takes them back; budgets say what was spent", async () => {
    const made = await call("POST", "keys", { name: "team", models: ["gpt"] })
    expect(made.body).toEqual({ id: expect.any(String), key: expect.stringMatching(/^sk-sluice-/) })
    const listed = await call("GET", "keys")
    expect(listed.body.keys).toMatchObject([{ id: made.body.id, name: "team", models: ["gpt"] }])
    expect(JSON.stringify(listed.body)).not.toContain(made.body.key)
    expect((await call("DELETE", `keys/${made.body.id}`)).body).toEqual({ revoked: true })
    expect((await call("DELETE", `keys/${made.body.id}`)).status).toBe(404)
    expect((await call("POST", "keys", { nonsense: 1 })).status).toBe(400)
    expect((await call("GET", "budgets")).body).toEqual({ budgets: [] })
  })

  it("shows what a thread is busy with: the fiber of a connection, whose it is, and what of Node is open", async () => {
    const held: Array<http.ServerResponse> = []
    upstream.removeAllListeners("request")
    upstream.on("request", (_, response: http.ServerResponse) => void held.push(response))
    const waiting = fetch(`http://127.0.0.1:${port}/slow`)
    await until(() => held.length === 1)
    const { body } = await call("GET", "fibers")
    const [thread] = body.threads
    expect(thread.fibers).toBeGreaterThan(0)
    expect(thread.resources).toMatchObject({ TCPServerWrap: expect.any(Number) })
    const names: Array<string> = []
    const walk = ({ children, what }: Loose): void => {
      if (what !== undefined) names.push(what)
      for (const child of children) walk(child)
    }
    for (const root of thread.roots) walk(root)
    expect(names.some((name) => /^connection of 127\.0\.0\.1:\d+ at /.test(name))).toBe(true)
    held[0]?.end("late")
    expect(await (await waiting).text()).toBe("late")
  })
})
