/** Keys that are good for some tools only: the others are neither listed nor called. */
import { afterEach, expect, it } from "vitest"
import { answerOf, ask, mcpGateway, modern, type Scripted, scripted, targetsOf } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const serverOf = async (tools: ReadonlyArray<string>): Promise<Scripted> => {
  const made = await scripted(
    modern(({ message, result }) =>
      message.method === "tools/list"
        ? result({
            resultType: "complete",
            tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })),
            ttlMs: 60_000,
            cacheScope: "public",
          })
        : result({ resultType: "complete", content: [{ type: "text", text: "done" }] }),
    ),
  )
  open.push(made)
  return made
}

const policies =
  "{apiKey: {mode: strict, keys: [{key: all}, {key: files, allowedTools: ['files/*']}, {key: read, allowedTools: [read]}, {key: none, allowedTools: []}]}}"

const listed = async (url: string, key: string): Promise<ReadonlyArray<string>> => {
  const { result } = answerOf(await ask(url, "tools/list", {}, { headers: { authorization: `Bearer ${key}` } }))
  const tools = (result?.["tools"] ?? []) as ReadonlyArray<{ readonly name: string }>
  return tools.map(({ name }) => name)
}
const called = async (url: string, key: string, name: string): Promise<boolean> => {
  const params = { name, arguments: {} }
  return (
    answerOf(await ask(url, "tools/call", params, { headers: { authorization: `Bearer ${key}` } })).error === undefined
  )
}

it("of a federation, in whatever order the callers come", async () => {
  const [files, mail] = [await serverOf(["read", "write"]), await serverOf(["read", "send"])]
  const gateway = await mcpGateway(targetsOf({ files, mail }), { policies })
  open.push(gateway)
  const { url } = gateway
  const everything = await listed(url, "all")
  expect(everything.length).toBe(4)
  const [fileRead, fileWrite, mailRead, mailSend] = everything as [string, string, string, string]
  expect(await listed(url, "files")).toEqual([fileRead, fileWrite])
  expect(await listed(url, "read")).toEqual([fileRead, mailRead])
  expect(await listed(url, "none")).toEqual([])
  // What was listed for one caller is not what another gets.
  expect(await listed(url, "all")).toEqual(everything)
  expect(await called(url, "all", mailSend)).toBe(true)
  expect(await called(url, "files", fileWrite)).toBe(true)
  expect(await called(url, "files", mailSend)).toBe(false)
  expect(await called(url, "read", mailRead)).toBe(true)
  expect(await called(url, "read", fileWrite)).toBe(false)
  expect(await called(url, "none", fileRead)).toBe(false)
  // Only those that were allowed reached a server.
  expect([files.calls("tools/call").length, mail.calls("tools/call").length]).toEqual([1, 2])
})

it("of a single server", async () => {
  const files = await serverOf(["read", "write"])
  const gateway = await mcpGateway(targetsOf({ files }), { policies })
  open.push(gateway)
  const { url } = gateway
  expect(await listed(url, "all")).toEqual(["read", "write"])
  expect(await listed(url, "read")).toEqual(["read"])
  expect(await called(url, "read", "read")).toBe(true)
  expect(await called(url, "read", "write")).toBe(false)
  expect(files.calls("tools/call").length).toBe(1)
})
