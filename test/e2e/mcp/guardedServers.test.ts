/** A guardrail and a tool lock in front of servers of every generation, for clients of every generation. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { grpc, type GrpcServer, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { until } from "../harness.ts"
import { type Face, faces, type Given } from "./faces.ts"
import { type Json, type McpGateway, mcpGateway } from "./harness.ts"
import { servers, type Started } from "./servers.ts"

const service = serviceOf("ext_mcp.proto", "agentgateway.dev.ext_mcp.ExtMcp")

interface Asked {
  readonly method: string
  readonly mcpRequest?: Buffer
  readonly mcpResponse?: Buffer
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const read = (bytes: Buffer | undefined): Json => (bytes?.length ? (JSON.parse(String(bytes)) as Json) : {})

/** Says no to one tool, changes what another one says, shows all but one, and lets everything else pass. */
const onRequest = ({ mcpRequest, method }: Asked): Json =>
  method === "tools/call" && read(mcpRequest)["name"] === "test_image_content"
    ? { error: { code: "PERMISSION_DENIED", reason: "no pictures" } }
    : { pass: {} }

const onResponse = ({ mcpResponse, method }: Asked): Json => {
  const text = String(mcpResponse ?? "")
  if (method === "tools/call" && text.includes("This is a simple text response")) {
    return { mutated: Buffer.from(text.replace("This is a simple text response", "This was changed")) }
  }
  if (method !== "tools/list") return { pass: {} }
  const result = read(mcpResponse)
  const tools = (result["tools"] as ReadonlyArray<Json>).filter(({ name }) => name !== "test_error_handling")
  return { mutated: json({ ...result, tools }) }
}

const seen: Array<Asked> = []
let guard: GrpcServer
beforeAll(async () => {
  const answering =
    (decide: (asked: Asked) => Json): grpc.handleUnaryCall<Asked, Json> =>
    (call, reply) => {
      seen.push(call.request)
      reply(null, decide(call.request))
    }
  guard = await grpcServer([[service, { CheckRequest: answering(onRequest), CheckResponse: answering(onResponse) }]])
})
afterAll(() => guard.close())

const firstText = ({ result }: Given): unknown =>
  (result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"]
const namesIn = ({ result }: Given): ReadonlyArray<unknown> =>
  ((result?.["tools"] ?? []) as ReadonlyArray<Json>).map(({ name }) => name)

describe.each(Object.entries(servers))("%s", (_server, start) => {
  let running: Started
  let gateway: McpGateway
  beforeAll(async () => {
    running = await start()
    const processor = `{host: "127.0.0.1:${guard.port}", methods: {"*": full}}`
    gateway = await mcpGateway(`{toolLock: {mode: tofu}, targets: [{name: one, ${running.target}}]}`, {
      policies: `{mcpGuardrails: {processors: [${processor}]}}`,
    })
  }, 60_000)
  afterAll(async () => {
    await gateway.close()
    await running.close()
  })

  describe.each(Object.entries(faces))("and %s", { timeout: 60_000 }, (_client, connect) => {
    let face: Face
    beforeAll(async () => {
      face = await connect(gateway.url)
    }, 60_000)
    afterAll(() => face.close())

    it("are told what the guardrail makes of lists, calls and results", async () => {
      const names = namesIn(await face.request("tools/list"))
      expect(names).toContain("test_simple_text")
      expect(names).not.toContain("test_error_handling")
      const changed = await face.request("tools/call", { name: "test_simple_text", arguments: {} })
      expect(firstText(changed)).toBe("This was changed for testing.")
      const refused = await face.request("tools/call", { name: "test_image_content", arguments: {} })
      expect(refused.error).toMatchObject({ message: "no pictures" })
    })

    it("are asked and answer, and the guardrail sees the result", async () => {
      seen.length = 0
      const name = "test_input_required_result_list_roots"
      const given = await face.request("tools/call", { name, arguments: {} })
      expect(given.asked.map(({ method }) => method)).toEqual(["roots/list"])
      expect(firstText(given)).toBe("Roots: file:///home/ann")
      expect(seen.filter(({ mcpResponse }) => String(mcpResponse ?? "").includes("file:///home/ann"))).not.toEqual([])
    })

    it("find a tool that came later under the lock, and are told when it goes", async () => {
      const hearing = await face.hear()
      const told = () => hearing.notes.some(({ method }) => method === "notifications/tools/list_changed")
      await face.request("tools/call", { name: "test_trigger_tool_change", arguments: {} })
      await until("it is told", told)
      const hidden = namesIn(await face.request("tools/list"))
      await face.request("tools/call", { name: "test_trigger_tool_change", arguments: {} })
      expect(hidden).toContain("test_simple_text")
      // Nobody approved what came after the lock was made.
      expect(hidden).not.toContain("test_triggered_tool")
      const unknown = await face.request("tools/call", { name: "test_triggered_tool", arguments: {} })
      expect(unknown.error).toMatchObject({ code: -32_602 })
      hearing.close()
    })
  })
})
