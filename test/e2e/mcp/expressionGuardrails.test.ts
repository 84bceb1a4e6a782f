/** Guards that are written in the configuration, before and behind a server. */
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, ask, type Json, mcpGateway, modern, type Scripted, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => unknown }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const behind = async (
  processors: ReadonlyArray<Json>,
): Promise<{ readonly url: string; readonly server: Scripted }> => {
  const server = await scripted(
    modern((turn) =>
      turn.result({
        resultType: "complete",
        content: [
          { type: "text", text: JSON.stringify(turn.message.params?.["arguments"]) },
          { type: "text", text: "the key is demo-secret-42", annotations: { unknown: true } },
        ],
      }),
    ),
  )
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: t, mcp: {host: "${server.url}"}}]}`, {
    policies: JSON.stringify({ mcpGuardrails: { processors } }),
  })
  open.push(gateway)
  return { url: gateway.url, server }
}

const say = async (url: string, args: Json) => answerOf(await ask(url, "tools/call", { name: "say", arguments: args }))

const deny = {
  kind: "expression",
  methods: { "tools/call": "request" },
  when: "has(mcp.params.arguments.text) && mcp.params.arguments.text.contains('DO_NOT_SEND')",
  reject: "this may not be sent",
}
const mask = {
  kind: "cel",
  methods: { "tools/call": "request" },
  when: "has(mcp.params.arguments.text)",
  transform:
    "mcp.params.with(p, p.merge({'arguments': p.arguments.merge({'text': p.arguments.text.regexReplaceAll('[a-z]+@[a-z.]+', '[EMAIL]')})}))",
}
const hide = {
  kind: "expression",
  methods: { "tools/call": "response" },
  when: "has(mcp.result.content)",
  transform:
    "mcp.result.with(r, r.merge({'content': r.content.map(c, c.type == 'text' ? c.merge({'text': c.text.regexReplace('demo-secret-[0-9]+', '[SECRET]')}) : c)}))",
}

describe("an expression as a guardrail", () => {
  it("rejects a call that the target then never hears of", async () => {
    const { server, url } = await behind([deny])
    const refused = await say(url, { text: "please DO_NOT_SEND" })
    expect(refused.error).toMatchObject({ code: -32_001, message: "this may not be sent" })
    expect(server.calls("tools/call")).toEqual([])
    expect((await say(url, { text: "fine" })).error).toBeUndefined()
    expect((await say(url, {})).error).toBeUndefined()
  })

  it("changes what is sent and what comes back, and leaves the rest as it was", async () => {
    const { server, url } = await behind([mask, hide])
    const { result } = await say(url, { text: "to ann@example.com and bob@example.org", other: [1, 2] })
    expect(server.calls("tools/call")[0]?.params).toMatchObject({
      name: "say",
      arguments: { text: "to [EMAIL] and [EMAIL]", other: [1, 2] },
    })
    expect(result?.["content"]).toMatchObject([
      { type: "text" },
      { type: "text", text: "the key is [SECRET]", annotations: { unknown: true } },
    ])
  })

  it("comes before the next one, which sees what it made of the call", async () => {
    const seen = { ...deny, when: "mcp.params.arguments.text.contains('[EMAIL]')", reject: "masked" }
    const { url } = await behind([mask, seen])
    expect((await say(url, { text: "ann@example.com" })).error).toMatchObject({ message: "masked" })
  })

  it("that fails refuses, unless it is told to let pass", async () => {
    const broken = { ...mask, when: undefined, transform: "{'arguments': {'n': int(mcp.params.arguments.text)}}" }
    const closed = await behind([broken])
    expect((await say(closed.url, { text: "x" })).error).toMatchObject({ code: -32_603 })
    expect(closed.server.calls("tools/call")).toEqual([])
    const opened = await behind([{ ...broken, failureMode: "failOpen" }])
    expect((await say(opened.url, { text: "x" })).error).toBeUndefined()
    expect(opened.server.calls("tools/call")[0]?.params).toMatchObject({ arguments: { text: "x" } })
  })
})
