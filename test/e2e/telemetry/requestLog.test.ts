/** What is kept of exchanges, asked of a gateway that runs as people run it, and what is left when it is killed. */
import { rmSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, expect, it } from "vitest"
import { command, get, makeDirectory, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const folder = makeDirectory()
const database = join(folder, "data.db")
let upstream: http.Server
let gateway: Standalone
let port: number
let admin: string

const config = (): string => `
config:
  database: {url: "sqlite://${database}"}
  metrics: {fields: {add: {tenant: 'request.headers["x-tenant"]'}}}
  standardAttributes: {user: 'request.headers["x-user"]'}
frontendPolicies:
  accessLog:
    filter: '!request.path.startsWith("/quiet")'
    database: {add: {color: '"blue"', size: '7'}}
binds:
- port: ${port}
  listeners:
  - routes:
    - name: closed
      matches: [{path: {pathPrefix: /closed}}]
      policies: {authorization: {rules: [{deny: 'request.headers["x-user"] == "mallory"'}, {allow: 'true'}]}}
      backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]
    - name: open
      backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]
`

// What the API answers is looked into without being described a second time.
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

const ask = async (path: string, body: unknown): Promise<Loose> => {
  const reply = await fetch(`${admin}/api/${path}`, { method: "POST", body: JSON.stringify(body) })
  const text = await reply.text()
  if (reply.status !== 200) throw new Error(`${reply.status} ${text}`)
  return JSON.parse(text)
}

const send = (path: string, headers: Record<string, string> = {}) => get(`http://127.0.0.1:${port}${path}`, { headers })

beforeAll(async () => {
  upstream = http.createServer((request, response) =>
    response.writeHead(request.url === "/bad" ? 500 : 200).end("hello"),
  )
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  port = await freePort()
  gateway = await new Standalone({ args: ["-c", config()], env: { WORKER_THREADS: "2" } }).serving()
  admin = /^ +admin +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
  for (let i = 0; i < 12; i++)
    await send(`/one/${i}?token=hidden-word`, { "x-user": "ann", "x-tenant": "t1", "user-agent": "tester/1.0 (x)" })
  await send("/bad", { "x-user": "bob", "x-tenant": "t2" })
  await send("/quiet/one")
}, 60_000)
afterAll(() => {
  gateway.kill("SIGKILL")
  upstream.closeAllConnections()
  upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

it("exchanges of all threads are found, newest first, page by page, without what a filter keeps out", async () => {
  // The database is opened while traffic is served already, and each thread writes after a moment.
  const count = () =>
    ask("logs/search", { limit: 500 }).then(
      ({ logs }) => logs.length,
      () => 0,
    )
  await until(async () => (await count()) >= 13)
  const first = await ask("logs/search", { limit: 5, includeAttributes: true })
  const paths = [...first.logs]
  for (let page = first; page.nextCursor !== undefined;) {
    page = await ask("logs/search", { limit: 5, cursor: page.nextCursor, includeAttributes: true })
    paths.push(...page.logs)
  }
  expect(paths).toHaveLength(13)
  expect(new Set(paths.map(({ id }) => id)).size).toBe(13)
  expect(paths.map(({ startedAt }) => startedAt)).toEqual(
    paths
      .map(({ startedAt }) => startedAt)
      .toSorted()
      .toReversed(),
  )
  const one = paths.find(({ attributes }) => attributes["http.path"].startsWith("/one/3"))
  expect(one).toMatchObject({
    httpStatus: 200,
    protocol: "http",
    reason: "Upstream",
    attributes: {
      "http.path": "/one/3?token=<redacted>",
      "agentgateway.user": "ann",
      "user_agent.name": "tester",
      color: "blue",
      size: 7,
    },
  })
})

it("filters look at columns and at attributes", async () => {
  const count = async (filters: object) => (await ask("logs/search", { filters })).logs.length
  expect(await count({ httpStatus: [500] })).toBe(1)
  expect(await count({ attributes: { "agentgateway.user": ["ann", "nobody"] } })).toBe(12)
  expect(await count({ attributes: { color: "blue", size: 7, "http.path": "/bad" } })).toBe(1)
  await expect(ask("logs/search", { filters: { nonsense: 1 } })).rejects.toThrow("400")
  await expect(ask("logs/search", { limit: 501 })).rejects.toThrow("400")
})

it("sums are given over time and by group", async () => {
  const { buckets, filterOptions, groups } = await ask("logs/analytics/summary", {
    groupBy: [{ field: "attributes", key: "agentgateway.user" }, { field: "httpStatus" }],
    bucketCount: 10,
  })
  expect(groups).toMatchObject([
    { group: ["ann", "200"], requests: 12, totalTokens: 0, cost: 0 },
    { group: ["bob", "500"], requests: 1 },
  ])
  expect(buckets.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0)).toBe(13)
  expect(filterOptions).toMatchObject({ httpStatus: [200, 500], user: ["ann", "bob"] })
})

it("what happens next is told while it happens", async () => {
  const reply = await fetch(`${admin}/api/logs/tail`, { method: "POST", body: "{}" })
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader()
  await send("/tailed", { "x-user": "eve" })
  let seen = ""
  await until(async () => {
    const { value = "" } = (await reader?.read()) ?? {}
    seen += value
    return seen.includes("/tailed")
  })
  await reader?.cancel()
  expect(seen).toMatch(/event: log\ndata: \{"entry":\{/)
})

it("a refused exchange tells why, by the name in its reply", async () => {
  const reply = await send("/closed/door", { "x-user": "mallory" })
  expect(reply.status).toBe(403)
  const id = String(reply.headers["x-sluice-id"])
  const story = JSON.parse((await get(`${admin}/api/explain/${id}`)).body)
  expect(story).toMatchObject({ status: 403, reason: "Authorization", recorded: false })
  expect(story.why).toMatch(
    /^403 by the policy Authorization \(listener \S+, route default\/closed\): authorization failed\.$/,
  )
  // What is told is written a little later.
  let kept: Loose
  await until(async () => (kept = await ask("logs/get", { id }).catch(() => undefined)) !== undefined)
  expect(kept.log.story.why).toBe(story.why)
  const nowhere = await send("/one", { "x-user": "ann" })
  expect(nowhere.headers["x-sluice-id"]).toBeUndefined()
})

it("whoever asks beforehand is told what every policy read and decided", async () => {
  await ask("explain", { count: 2, expression: 'request.path.startsWith("/closed/asked")' })
  expect((await fetch(`${admin}/api/explain`, { method: "POST", body: '{"expression": "1 +"}' })).status).toBe(400)
  await send("/closed/other", { "x-user": "ann" })
  const passed = await send("/closed/asked", { "x-user": "ann" })
  const refused = await send("/closed/asked", { "x-user": "mallory" })
  const story = async (reply: typeof passed) =>
    JSON.parse((await get(`${admin}/api/explain/${String(reply.headers["x-sluice-id"])}`)).body)
  const decisions = (await story(passed)).steps.map(({ decision, stage }: Loose) => `${stage}: ${decision}`)
  expect(decisions).toContain("Authorization: deny does not hold")
  expect(decisions).toContain("Authorization: passed")
  expect(decisions.at(-1)).toBe("attempt: answered 200")
  expect((await story(refused)).why).toContain('; deny holds {"rule":"request.headers[\\"x-user\\"] == \\"mallory\\""}')
})

it("the command line shows the same", async () => {
  const reply = await send("/closed/door", { "x-user": "mallory" })
  const run = async (...args: ReadonlyArray<string>) => {
    const { code, error, out } = await command([...args, "--admin", admin])
    expect([code, error]).toEqual([0, ""])
    return out
  }
  const [story, status, lines] = await Promise.all([
    run("explain", "--id", String(reply.headers["x-sluice-id"])),
    run("status"),
    run("logs", "-n", "500", "--status", "403"),
  ])
  expect(story).toMatch(/^403 by the policy Authorization/)
  expect(status).toMatch(/ready\nconfiguration 1\n\d threads?,/)
  expect(lines).toContain(`sluice explain --id ${String(reply.headers["x-sluice-id"])}`)
  const nobody = await command(["status", "--admin", "http://127.0.0.1:1"])
  expect(nobody).toMatchObject({ code: 1, error: expect.stringContaining("no gateway answers at") })
}, 60_000)

it("sluice logs -f shows what there is, and then what comes, as it comes", async () => {
  await send("/followed/before", { "x-user": "flo" })
  await until(async () => (await command(["logs", "-n", "1", "--admin", admin])).out.includes("/followed/before"))
  const following = new Standalone({ args: ["logs", "-f", "-n", "1", "--admin", admin] })
  const json = new Standalone({ args: ["logs", "-f", "-n", "1", "--status", "500", "--json", "--admin", admin] })
  try {
    await following.says("/followed/before")
    await json.says('"httpStatus":500')
    // What comes before the tail is open is found by the tail as well, or by nobody.
    await until(async () => {
      await send("/followed/after", { "x-user": "flo" })
      return following.out.includes("/followed/after")
    })
    expect(following.out).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z {2}200 +\d+ms {2}http {2}GET \/followed\/before {2}flo(?: {2}\(sluice explain --id \w+\))?\n/,
    )
    await until(async () => {
      await send("/bad", { "x-user": "joe" })
      return json.out.includes('"agentgateway.user":"joe"')
    })
    for (const line of json.out.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ httpStatus: 500 })
  } finally {
    following.kill("SIGINT")
    json.kill("SIGINT")
    await Promise.all([following.ended, json.ended])
  }
}, 60_000)

it("sluice status says what a gateway leads to, and 1 while it is not ready", async () => {
  const told = await command(["status", "--json", "--admin", admin])
  expect(told.code).toBe(0)
  expect(JSON.parse(told.out)).toMatchObject({
    config: { version: 1, synchronized: true, problems: [] },
    pending: [],
    threads: [{ connections: expect.any(Number) }, { connections: expect.any(Number) }],
    targets: expect.any(Array),
  })
  const text = (await command(["status", "--admin", admin])).out
  expect(text).toMatch(/^sluice \S+ at http\S+, up \d+[dhms]/)
  expect(text).toContain(`  127.0.0.1:${(upstream.address() as AddressInfo).port}`)

  // One that takes leave of a client who does not finish is not ready any more, and says why.
  const slow = http.createServer(() => {})
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve))
  const own = await freePort()
  const leaving = await new Standalone({
    args: [
      "-c",
      `{gateways: {default: {port: ${own}}}, routes: [{backends: [{host: "127.0.0.1:${(slow.address() as AddressInfo).port}"}]}]}`,
    ],
    env: { CONNECTION_TERMINATION_DEADLINE: "60s" },
  }).serving()
  try {
    const waiting = fetch(`http://127.0.0.1:${own}/`).catch(() => undefined)
    await until(async () => (await leaving.metric("exchanges_open")) === 1)
    leaving.kill("SIGTERM")
    const at = /^ +admin +(http\S+)$/m.exec(leaving.out)?.[1] ?? ""
    let said = { code: 0 as number | string, out: "" }
    await until(async () => {
      said = await command(["status", "--admin", at])
      return said.code !== 0
    })
    expect(said).toMatchObject({ code: 1, out: expect.stringContaining("not ready: drain") })
    leaving.kill("SIGKILL")
    await waiting
  } finally {
    leaving.kill("SIGKILL")
    slow.closeAllConnections()
    slow.close()
  }
}, 60_000)

it("labels of the configuration's own stand in the metrics", async () => {
  expect(await gateway.metric("requests_total", 'tenant="t1"')).toBe(12)
  expect(await gateway.metric("requests_total", 'tenant="t2"')).toBe(1)
})

it("nothing that could be read is lost when the process is killed", async () => {
  await Promise.all(Array.from({ length: 60 }, (_, i) => send(`/last/${i}`, { "x-user": "zoe" })))
  const readable = (await ask("logs/search", { limit: 500, filters: { attributes: { "agentgateway.user": "zoe" } } }))
    .logs
  const busy = Array.from({ length: 200 }, (_, i) => send(`/during/${i}`).catch(() => undefined))
  gateway.kill("SIGKILL")
  await gateway.ended
  await Promise.all(busy)
  const kept = new DatabaseSync(database, { readOnly: true })
  expect(kept.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
  const ids = new Set(
    kept
      .prepare("SELECT id FROM request_logs")
      .all()
      .map(({ id }) => id),
  )
  kept.close()
  expect(readable.length).toBeGreaterThan(0)
  expect(readable.filter(({ id }: { id: string }) => !ids.has(id))).toEqual([])
})

it("a gateway that is killed in the middle of writing finds everything that was ever read again, time after time", async () => {
  const file = join(folder, "killed.db")
  const own = config().replace(database, file)
  const start = async () => {
    const one = await new Standalone({ args: ["-c", own], env: { WORKER_THREADS: "2" } }).serving()
    return { one, at: /^ +admin +(http\S+)$/m.exec(one.out)?.[1] ?? "" }
  }
  const seen = new Set<string>()
  /** Everything there is, page by page. */
  const all = async (at: string): Promise<ReadonlySet<string>> => {
    const found = new Set<string>()
    for (let cursor: string | undefined; ;) {
      const reply = await fetch(`${at}/api/logs/search`, {
        method: "POST",
        body: JSON.stringify({ limit: 500, cursor }),
      })
      if (reply.status !== 200) throw new Error(await reply.text())
      const page: Loose = await reply.json()
      for (const { id } of page.logs) found.add(id)
      if (page.nextCursor === undefined) return found
      cursor = page.nextCursor
    }
  }
  for (let round = 0; round < 3; round++) {
    const { at, one } = await start()
    try {
      // It opens, whatever the end before was.
      await until(() =>
        all(at).then(
          (found) => found.size >= seen.size,
          () => false,
        ),
      )
      const found = await all(at)
      expect([...seen].filter((id) => !found.has(id))).toEqual([])
      const over = { is: false }
      const writing = Array.from({ length: 8 }, async (_, lane) => {
        for (let i = 0; !over.is; i++) await send(`/round/${round}/${lane}/${i}`).catch(() => (over.is = true))
      })
      const before = seen.size
      await until(async () => {
        for (const id of await all(at)) seen.add(id)
        return seen.size > before + 100
      })
      one.kill("SIGKILL")
      await one.ended
      over.is = true
      await Promise.all(writing)
    } finally {
      one.kill("SIGKILL")
    }
  }
  const kept = new DatabaseSync(file, { readOnly: true })
  expect(kept.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
  kept.close()
}, 120_000)
