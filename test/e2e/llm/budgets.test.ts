/** Budgets and keys that the gateway gives out itself, through whole gateways and across restarts. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { until as sooner } from "../harness.ts"
import { command, makeDirectory, Standalone, until } from "../standalone.ts"
import { type Place, startPlace } from "./place.ts"
import { sendJson, startProvider } from "./provider.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => Promise<unknown> | unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const place = async (text: string): Promise<Place> => {
  const made = await startPlace(text)
  closing.push(made.close)
  return made
}

const ask = (url: string, headers: Record<string, string> = {}, body: object = {}): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "one two three four" }], ...body }),
  })

const statuses = async (place: Place, count: number, headers?: Record<string, string>): Promise<Array<number>> => {
  const all: Array<number> = []
  for (let i = 0; i < count; i++) {
    const told = place.gateway.told.exchanges.length
    const reply = await ask(place.url, headers)
    all.push(reply.status)
    await reply.text()
    await sooner("it was told", () => place.gateway.told.exchanges.length > told)
  }
  return all
}

// One call is 17 tokens: 12 of the prompt and 5 of the answer.
const llm = (budgets: string): string => `
config: {modelCatalog: [{inline: {providers: {echo: {models: {m: {rates: {input: "1000000", output: "1000000"}}}}}}}]}
llm:
  port: 1
  policies:
    budgets: [${budgets}]
  models: [{name: "*", provider: echo}]
`

describe("a budget", () => {
  it("refuses, once it is spent, in the client's words and with when to come back", async () => {
    const made = await place(llm("{name: all, tokens: 40, window: 24h}"))
    expect(await statuses(made, 3)).toEqual([200, 200, 429])
    const refused = await ask(made.url)
    expect(refused.headers.get("x-sluice-budget")).toBe("all")
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ error: { type: "insufficient_quota", code: "budget_exceeded" } })
  })

  it("is one for each value of its key", async () => {
    const made = await place(llm(`{name: team, key: 'request.headers["x-team"]', usd: 40, window: 24h}`))
    expect(await statuses(made, 3, { "x-team": "a" })).toEqual([200, 200, 429])
    expect(await statuses(made, 1, { "x-team": "b" })).toEqual([200])
    // Whoever has no team has one budget together.
    expect(await statuses(made, 3)).toEqual([200, 200, 429])
  })

  it("only marks where it is soft", async () => {
    const made = await place(llm("{name: soft, tokens: 20, window: 24h, onExceeded: warn}"))
    expect(await statuses(made, 3)).toEqual([200, 200, 200])
    const marks = made.gateway.told.exchanges.map(({ exchange }) => exchange.notes?.llm?.overspent)
    expect(marks).toEqual([undefined, undefined, ["soft"]])
  })

  it("holds for many at once: what may be written counts before it is", async () => {
    const held: Array<() => void> = []
    const upstream = await startProvider((_call, response) => {
      held.push(() =>
        sendJson(response, 200, {
          model: "m",
          choices: [{ index: 0, message: { role: "assistant", content: "x" }, finish_reason: "stop" }],
          usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
        }),
      )
    })
    closing.push(upstream.close)
    const made = await place(`
llm:
  port: 1
  policies: {budgets: [{name: all, tokens: 100, window: 24h}]}
  models:
  - name: "*"
    provider: {custom: {formats: [{type: completions}]}}
    params: {baseUrl: "http://127.0.0.1:${upstream.port}/v1"}
`)
    // Each may come to 12 + 20, so no more than three can be under way.
    const replies = Promise.all(Array.from({ length: 10 }, () => ask(made.url, {}, { max_tokens: 20 })))
    await sooner("the others were refused", () => made.gateway.told.exchanges.length === 7, 20_000)
    expect(held.length).toBe(3)
    for (const release of held.splice(0)) release()
    const all = await replies
    for (const reply of all) await reply.text()
    expect(all.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, ...Array.from({ length: 7 }, () => 429)])
    await sooner("all were told", () => made.gateway.told.exchanges.length === 10)
    // What they did not need is there for the next: 51 of 100 were spent.
    const next = ask(made.url, {}, { max_tokens: 20 })
    await sooner("it went on", () => held.length === 1)
    held[0]?.()
    expect((await next).status).toBe(200)
  })
})

it("keys are given out, scoped, budgeted and taken back, and none of it is forgotten", async () => {
  const directory = makeDirectory()
  closing.push(() => fs.rmSync(directory, { recursive: true }))
  const port = await freePort()
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(
    file,
    `config: {database: {url: "sqlite://${directory}/data.db"}}
llm:
  port: ${port}
  policies: {apiKey: {keys: [], virtual: true, mode: strict}}
  models: [{name: "*", provider: echo}]
`,
  )
  const url = `http://127.0.0.1:${port}`
  const keys = async (...words: ReadonlyArray<string>): Promise<string> => {
    const { code, error, out } = await command(["keys", ...words, "-f", file])
    expect(error).toBe("")
    expect(code).toBe(0)
    return out.trim()
  }
  const start = async (): Promise<Standalone> => {
    const gateway = new Standalone({ args: ["-f", file] })
    closing.push(async () => {
      gateway.kill("SIGKILL")
      await gateway.ended
    })
    return gateway.serving()
  }
  const status = async (key: string, body: object = {}): Promise<number> => {
    const reply = await ask(url, { authorization: `Bearer ${key}` }, body)
    await reply.text()
    return reply.status
  }
  const budgeted = await keys("create", "--name", "ann", "--budget", "tokens:40/24h", "--model", "m*")
  expect(budgeted).toMatch(/^sk-sluice-[\w-]{43}$/)

  let gateway = await start()
  expect(await status("sk-sluice-nobody")).toBe(401)
  expect(await status(budgeted, { model: "other" })).toBe(403)
  expect(await status(budgeted)).toBe(200)
  // Given out while it serves, by the administration interface.
  const admin = /admin +(\S+)/.exec(gateway.out)?.[1] ?? ""
  const created = await fetch(`${admin}/keys/create`, { method: "POST", body: JSON.stringify({ name: "eve" }) })
  const eve = (await created.json()) as { readonly id: string; readonly key: string }
  expect(await status(eve.key)).toBe(200)
  await gateway.stop()

  gateway = await start()
  expect(await status(budgeted)).toBe(200)
  await until(async () => (await status(budgeted)) === 429)
  expect(await status(eve.key)).toBe(200)
  const desk = /admin +(\S+)/.exec(gateway.out)?.[1] ?? ""
  const listed = await (await fetch(`${desk}/keys/list`, { method: "POST" })).text()
  expect((JSON.parse(listed) as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)).toEqual([
    "ann",
    "eve",
  ])
  expect(listed).not.toContain(budgeted)
  const renewed = await fetch(`${desk}/keys/renew?id=${eve.id}&graceMillis=60000`, { method: "POST" })
  const next = (await renewed.json()) as { readonly id: string; readonly key: string }
  expect(next.id).toBe(eve.id)
  expect([await status(next.key), await status(eve.key)]).toEqual([200, 200])
  expect((await fetch(`${desk}/keys/revoke?id=${eve.id}`, { method: "POST" })).status).toBe(200)
  await until(async () => (await status(next.key)) === 401)
  await until(async () => (await status(eve.key)) === 401)
  expect(gateway.out + gateway.error).not.toContain(budgeted)
  expect(fs.readFileSync(path.join(directory, "data.db")).includes(budgeted)).toBe(false)
}, 120_000)
