/** What calls used and cost: in logs, in metrics, under limits, and after a change of prices. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { until as sooner } from "../harness.ts"
import { get, makeDirectory, Standalone, until } from "../standalone.ts"
import { type Place, startPlace } from "./place.ts"
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

const ask = (url: string, body: object = {}, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "one two three four" }], ...body }),
  })

const catalogue = (output: string): string =>
  JSON.stringify({ providers: { echo: { models: { m: { rates: { input: "1000000", output } } } } } })

it("usage and cost are in the log and the metrics, and follow the catalogue as it changes", async () => {
  const directory = makeDirectory()
  const port = await freePort()
  const prices = path.join(directory, "prices.json")
  fs.writeFileSync(prices, catalogue("2000000"))
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(
    file,
    `config: {logging: {format: json}, modelCatalog: [{file: prices.json}]}
frontendPolicies: {accessLog: {add: {spent: "llm.cost.output", total: "llm.totalTokens"}}}
llm: {port: ${port}, models: [{name: "*", provider: echo, guardrails: {request: [{regex: {rules: [{builtin: ssn}]}}]}}]}
`,
  )
  const gateway = new Standalone({ args: ["-f", file], cwd: directory })
  closing.push(async () => {
    gateway.child.kill()
    await gateway.ended
    fs.rmSync(directory, { recursive: true })
  })
  await gateway.says("serving")
  const url = `http://127.0.0.1:${port}`
  const lines = () =>
    gateway.out
      .split("\n")
      .filter((line) => line.includes('"scope":"request"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const { usage } = (await (await ask(url, { max_tokens: 9 })).json()) as { usage: Record<string, number> }
  await until(() => lines().length === 1)
  const [line] = lines()
  const output = usage["completion_tokens"] ?? 0
  expect(line).toMatchObject({
    "gen_ai.provider.name": "echo",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": usage["prompt_tokens"],
    "gen_ai.usage.output_tokens": output,
    "gen_ai.request.max_tokens": 9,
    "agw.ai.usage.cost.total": String((usage["prompt_tokens"] ?? 0) + 2 * output),
    spent: 2 * output,
    total: usage["total_tokens"],
  })
  const stats = /"stats":"([^"]+)"/.exec(gateway.out)?.[1] ?? ""
  const { body } = await get(stats)
  expect(body).toMatch(/gen_ai_client_token_usage_sum\{[^}]*gen_ai_token_type="output"[^}]*\} 5/)
  expect(body).toMatch(/gen_ai_client_cost_usd_total\{[^}]*gen_ai_system="echo"[^}]*\} \d+/)
  expect(body).toMatch(/cost_catalog_lookups_total\{[^}]*="Exact"[^}]*\} 1/)
  expect(body).toMatch(/guardrail_checks_total\{phase="Request",action="Allow",guard="regex"[^}]*\} 1/)

  fs.writeFileSync(prices, catalogue("3000000"))
  await gateway.says("configuration reloaded")
  await (await ask(url)).json()
  await until(() => lines().length === 2)
  expect(lines()[1]?.["spent"]).toBe(3 * output)
})

describe("a limit on tokens", () => {
  const limited = (max: number): string => `
llm:
  port: 1
  policies:
    localRateLimit: [{maxTokens: ${max}, tokensPerFill: 1, fillInterval: 1h, type: tokens}]
  models: [{name: "*", provider: echo}]
`
  it("lets in until it is used up, whatever the last call came to", async () => {
    const made = await place(limited(30))
    const total = async (reply: Response) =>
      ((await reply.json()) as { usage: { total_tokens: number } }).usage.total_tokens
    const first = await total(await ask(made.url))
    expect(first).toBeLessThan(30)
    expect(await total(await ask(made.url))).toBe(first)
    await sooner("both were told", () => made.gateway.told.exchanges.length === 2)
    const third = await ask(made.url)
    if (third.status === 200) {
      await third.text()
      await sooner("it was told", () => made.gateway.told.exchanges.length === 3)
    }
    const refused = await ask(made.url)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error" } })
  })

  it("charges a stream that the client leaves for what it got", async () => {
    const made = await place(limited(1_000))
    const abort = new AbortController()
    const reply = await fetch(`${made.url}/v1/chat/completions`, {
      method: "POST",
      signal: abort.signal,
      headers: { "x-echo": JSON.stringify({ text: "a b c d e f g h", interval: 40 }) },
      body: JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "x" }] }),
    })
    const reader = reply.body?.getReader()
    let seen = ""
    while (!seen.includes('"content":" c"')) seen += new TextDecoder().decode((await reader?.read())?.value)
    abort.abort()
    await sooner("it was told", () => made.gateway.told.exchanges.length === 1)
    const account = made.gateway.told.exchanges[0]?.exchange.notes?.llm
    expect(account?.isEstimated).toBe(true)
    expect(account?.usage?.outputTokens).toBeGreaterThanOrEqual(1)
    expect(account?.usage?.outputTokens).toBeLessThan(8)
    expect(account?.usage?.inputTokens).toBeGreaterThan(0)
  })
})
