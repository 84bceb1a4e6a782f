/**
 * Everything the protocol offers, for clients of every generation in front of the same server in every generation and over
 * every transport: what one can do with it directly, one can do with it through the gateway.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Face, faces, type Given, type Note } from "./faces.ts"
import { type Json, type McpGateway, mcpGateway } from "./harness.ts"
import { servers, type Started } from "./servers.ts"

const firstText = ({ result }: Given): unknown =>
  (result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"]

const namesIn = ({ result }: Given, list: string, field: string): ReadonlyArray<unknown> =>
  ((result?.[list] ?? []) as ReadonlyArray<Json>).map((one) => one[field])

const methodsOf = (notes: ReadonlyArray<Note>): ReadonlyArray<string> => notes.map(({ method }) => method)

describe.each(Object.entries(servers))("%s", (server, start) => {
  let running: Started
  let gateway: McpGateway
  beforeAll(async () => {
    running = await start()
    gateway = await mcpGateway(`{targets: [{name: one, ${running.target}}]}`)
  }, 60_000)
  afterAll(async () => {
    await gateway.close()
    await running.close()
  })

  describe.each(Object.entries(faces))("and %s", { timeout: 60_000 }, (client, connect) => {
    const isModern = client === "a client without one"
    let face: Face
    beforeAll(async () => {
      face = await connect(gateway.url)
    }, 60_000)
    afterAll(() => face.close())

    it("say who they are and what they can", async () => {
      const capabilities = face.introduction["capabilities"] as Json
      expect(capabilities).toMatchObject({ tools: { listChanged: true }, completions: {}, logging: {} })
      expect(face.introduction["instructions"]).toBe("A fixture for the conformance suite.")
      if (isModern) expect(face.introduction).toMatchObject({ supportedVersions: ["2026-07-28"] })
      else expect(face.introduction).toMatchObject({ serverInfo: { name: "everything-fixture" } })
    })

    it("know whether the other is there", async () => {
      const given = await face.request("ping")
      if (isModern) expect(given).toMatchObject({ status: 404, error: { code: -32_601 } })
      else expect(given.result).toEqual({})
    })

    it("have the same lists, each in the words of its generation", async () => {
      const tools = await face.request("tools/list")
      expect(namesIn(tools, "tools", "name")).toContain("test_simple_text")
      expect(namesIn(await face.request("prompts/list"), "prompts", "name")).toContain("test_simple_prompt")
      const resources = await face.request("resources/list")
      expect(namesIn(resources, "resources", "uri")).toContain("test://static-text")
      const templates = await face.request("resources/templates/list")
      expect(namesIn(templates, "resourceTemplates", "uriTemplate")).toEqual(["test://template/{id}/data"])
      const hints = isModern ? { resultType: "complete", ttlMs: expect.any(Number) } : {}
      for (const { result = {} } of [tools, resources]) {
        expect(result).toMatchObject(hints)
        if (!isModern) for (const name of ["resultType", "ttlMs", "cacheScope"]) expect(result).not.toHaveProperty(name)
      }
    })

    it("call tools, and tell a tool that fails from one that is not there", async () => {
      const given = await face.request("tools/call", { name: "test_multiple_content_types", arguments: {} })
      expect(namesIn(given, "content", "type")).toEqual(["text", "image", "resource"])
      const failed = await face.request("tools/call", { name: "test_error_handling", arguments: {} })
      expect(failed.result).toMatchObject({ isError: true })
      const missing = await face.request("tools/call", { name: "no_such_tool", arguments: {} })
      expect(missing.result?.["isError"] ?? missing.error?.["code"]).toBeDefined()
    })

    it("give prompts", async () => {
      const params = { name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "ü" } }
      expect(JSON.stringify((await face.request("prompts/get", params)).result)).toContain("arg1='a', arg2='ü'")
    })

    it("read resources, by name and by template, and say which is not there", async () => {
      const read = await face.request("resources/read", { uri: "test://static-text" })
      expect(read.result?.["contents"]).toMatchObject([{ uri: "test://static-text", mimeType: "text/plain" }])
      const filled = await face.request("resources/read", { uri: "test://template/7/data" })
      expect(JSON.stringify(filled.result)).toContain("Data for ID: 7")
      const missing = await face.request("resources/read", { uri: "test://nowhere" })
      if (isModern) expect(missing.error).toMatchObject({ code: -32_602, data: { uri: "test://nowhere" } })
      // Between those who speak the same, a server's own words stay.
      else expect(missing.error).toMatchObject({ code: server.includes("without sessions") ? -32_002 : -32_602 })
    })

    it("complete what is typed", async () => {
      const ref = { type: "ref/prompt", name: "test_prompt_with_arguments" }
      const given = await face.request("completion/complete", { ref, argument: { name: "arg1", value: "par" } })
      expect(given.result?.["completion"]).toMatchObject({ values: ["paris", "park", "party"] })
    })

    it("hear how far a call has come", async () => {
      const params = { name: "test_tool_with_progress", arguments: {} }
      const given = await face.request("tools/call", params, { progress: true })
      const told = given.notes.filter(({ method }) => method === "notifications/progress")
      expect(told.map(({ params: one }) => one["progress"])).toEqual([0, 50, 100])
      expect(new Set(told.map(({ params: one }) => one["progressToken"]))).toEqual(new Set(["token"]))
      expect(methodsOf((await face.request("tools/call", params)).notes)).not.toContain("notifications/progress")
    })

    it("hear what a server logs, from the level they chose on", async () => {
      const params = { name: "test_tool_with_logging", arguments: {} }
      const given = await face.request("tools/call", params, { log: "debug" })
      expect(methodsOf(given.notes).filter((method) => method === "notifications/message")).toHaveLength(3)
      const quiet = await face.request("tools/call", params, { log: "error" })
      expect(methodsOf(quiet.notes)).not.toContain("notifications/message")
    })

    it.each([
      ["test_elicitation", { message: "Who?" }, "elicitation/create", "ann@example.test"],
      ["test_sampling", { prompt: "Capital?" }, "sampling/createMessage", "Paris"],
    ])("are asked and answer: %s", async (name, args, method, text) => {
      const given = await face.request("tools/call", { name, arguments: args })
      expect(methodsOf(given.asked)).toEqual([method])
      expect(firstText(given)).toContain(text)
    })

    it("are asked for what they have open", async () => {
      const given = await face.request("tools/call", { name: "test_input_required_result_list_roots", arguments: {} })
      expect(methodsOf(given.asked)).toEqual(["roots/list"])
      expect(firstText(given)).toBe("Roots: file:///home/ann")
    })

    it("are asked before they are given a prompt", async () => {
      const given = await face.request("prompts/get", { name: "test_input_required_result_prompt" })
      expect(methodsOf(given.asked)).toEqual(["elicitation/create"])
      expect(JSON.stringify(given.result)).toContain("Use this context: blue")
    })

    it("are asked several things at once", async () => {
      const name = "test_input_required_result_multiple_inputs"
      const given = await face.request("tools/call", { name, arguments: {} })
      expect(methodsOf(given.asked).toSorted()).toEqual(["elicitation/create", "roots/list", "sampling/createMessage"])
      expect(firstText(given)).toBe("Paris ann, with 1 roots")
    })

    it("hear what changes, as far as they asked", async () => {
      const uri = "test://watched-resource"
      const hearing = await face.hear([uri])
      const uris = () =>
        hearing.notes.flatMap(({ method, params }) =>
          method === "notifications/resources/updated" ? [params["uri"]] : [],
        )
      // What happens before somebody listens upstream is nobody's news, so it happens until it is.
      const happening = async (name: string, isTold: () => boolean): Promise<void> => {
        for (let i = 0; i < 100 && !isTold(); i++) {
          await face.request("tools/call", { name, arguments: {} })
          await Promise.race([until("it is told", isTold), new Promise((resolve) => setTimeout(resolve, 100))])
        }
        expect(isTold()).toBe(true)
      }
      await happening("test_trigger_tool_change", () =>
        methodsOf(hearing.notes).includes("notifications/tools/list_changed"),
      )
      // Behind pipes, a server with sessions is a process for each of them: what happens in one, no other can know.
      if (!isModern || server !== "a server with sessions behind pipes") {
        await happening("test_trigger_resource_update", () => uris().length > 0)
        expect(new Set(uris())).toEqual(new Set([uri]))
      }
      hearing.close()
    })

    it("are told of a method that nobody knows, in the words of their generation", async () => {
      const given = await face.request("nobody/knows")
      expect(given.error).toMatchObject({ code: -32_601 })
      expect(given.status).toBe(isModern ? 404 : 200)
    })
  })
})
