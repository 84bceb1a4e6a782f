/** What guards did with messages of agents is counted and written down, in whichever binding it was said. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, expect, it } from "vitest"
import type { Binding } from "../../../protocols/a2a/operation.ts"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { startAgent } from "./agent.ts"
import { rawClient } from "./Raw.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

it("guards of agents are counted, and the access log says what each did", async () => {
  const agent = await startAgent()
  closing.push(() => agent.close())
  const directory = makeDirectory()
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(
    file,
    `
gateways: {default: {port: ${port}}}
routes:
- backends:
  - host: '127.0.0.1:${agent.port}'
    policies:
      a2a:
        bridge: {}
        guardrails:
          request:
          - keywords: {words: [forbidden], action: reject}
          - regex: {rules: [{builtin: email}]}
          response: [{regex: {rules: [{pattern: chunk-1}]}}]
`,
  )
  const gateway = new Standalone({ args: ["-f", file] })
  closing.push(() => gateway.kill("SIGKILL"))
  await gateway.serving()

  const bindings: ReadonlyArray<Binding> = ["JSONRPC", "HTTP+JSON", "GRPC"]
  for (const binding of bindings) {
    const client = rawClient(binding, port)
    closing.push(() => client.close())
    const said = (text: string, word = "echo") => ({
      message: { messageId: `${word}-${crypto.randomUUID()}`, role: "ROLE_USER", parts: [{ text }] },
    })
    expect((await client.call("SendMessage", said("forbidden"))).failed).toBeDefined()
    expect((await client.call("SendMessage", said("to ann@example.com"))).failed).toBeUndefined()
    const events = await client.stream("SendStreamingMessage", said("hello", "tck-stream-artifact-chunked"))
    if ("failed" in events) throw new Error(JSON.stringify(events.failed))
    expect(JSON.stringify(await events.rest())).not.toContain("chunk-1")
  }

  const each = (phase: string, action: string, guard: string) => async () =>
    (await gateway.metric("guardrail_checks_total", `phase="${phase}",action="${action}",guard="${guard}"`)) ===
    bindings.length
  await until(each("Request", "Reject", "keywords"))
  await until(each("Request", "Mask", "regex"))
  await until(each("Response", "Mask", "regex"))
  for (const words of ["keywords request reject", "regex request mask", "regex response mask"]) {
    await until(() => gateway.out.split(words).length > bindings.length)
  }
}, 60_000)
