/** Clients that know no tasks, those of 2025-11-25 and those of the extension, in front of servers of each of these kinds. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { serveTasks } from "../../conformance/mcp/tasks.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  type Said,
  type Scripted,
  scripted,
  type SessionClient,
} from "./harness.ts"

const tasked = { extensions: { "io.modelcontextprotocol/tasks": {} }, elicitation: { form: {} } }

/** A server of 2025-11-25 with tasks: one tool may be one, one has to be, and one asks before it is done. */
const oldTasks = (): Promise<Scripted> => {
  const tasks = new Map<string, { status: string; answer: Json | undefined; tool: string }>()
  const waiting = new Map<string, (answer: Json) => void>()
  const now = "2026-01-01T00:00:00Z"
  const shown = (taskId: string) => ({
    taskId,
    status: tasks.get(taskId)?.status,
    createdAt: now,
    lastUpdatedAt: now,
    ttl: 60_000,
    pollInterval: 50,
  })
  const content = (text: string, more: Json = {}) => ({ content: [{ type: "text", text }], ...more })
  return scripted(
    legacy(
      (turn) => {
        const { message, result } = turn
        const { id, method, params = {} } = message
        if (method === undefined) {
          waiting.get(String(id))?.((message as { result?: Json }).result ?? {})
          return undefined
        }
        const taskId = String(params["taskId"])
        const task = tasks.get(taskId)
        switch (method) {
          case "tools/list": {
            const tool = (name: string, taskSupport: string) => ({
              name,
              inputSchema: { type: "object" },
              execution: { taskSupport },
            })
            return result({
              tools: [
                tool("may", "optional"),
                tool("must", "required"),
                tool("asks", "required"),
                tool("fails", "required"),
              ],
            })
          }
          case "tools/call": {
            const tool = String(params["name"])
            if (params["task"] === undefined) {
              return tool === "may" ? result(content("at once")) : turn.error(-32_601, "only as a task")
            }
            const made = `native-${tasks.size + 1}`
            tasks.set(made, { status: tool === "asks" ? "input_required" : "working", answer: undefined, tool })
            if (tool !== "asks")
              setTimeout(
                () => ((tasks.get(made) as { status: string }).status = tool === "fails" ? "failed" : "completed"),
                80,
              )
            return result({ task: shown(made) })
          }
          case "tasks/get":
            return task === undefined ? turn.error(-32_602, "no such task") : result(shown(taskId))
          case "tasks/cancel":
            if (task === undefined || task.status === "completed") return turn.error(-32_602, "it is over")
            task.status = "cancelled"
            return result(shown(taskId))
          case "tasks/result": {
            const related = { _meta: { "io.modelcontextprotocol/related-task": { taskId } } }
            if (task?.tool === "fails") return result(content("it failed", { isError: true, ...related }))
            if (task?.tool !== "asks" || task.status === "completed") {
              return result(content(task?.answer === undefined ? "in the end" : JSON.stringify(task.answer), related))
            }
            const stream = turn.stream()
            const asked = `question-${taskId}`
            waiting.set(asked, (answer) => {
              task.answer = answer
              task.status = "completed"
              stream.send({ jsonrpc: "2.0", id, result: content(JSON.stringify(answer), related) })
              stream.end()
            })
            return stream.send({
              jsonrpc: "2.0",
              id: asked,
              method: "elicitation/create",
              params: { message: "Sure?", requestedSchema: { type: "object", properties: {} }, ...related },
            })
          }
          default:
            return turn.error(-32_601, "Method not found")
        }
      },
      { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    ),
  )
}

let old: Scripted
let extension: Awaited<ReturnType<typeof serveTasks>>
let plain: Scripted
const gateways: Record<string, McpGateway> = {}

beforeAll(async () => {
  old = await oldTasks()
  extension = await serveTasks()
  plain = await scripted(
    legacy((turn) =>
      turn.message.method === "tools/list"
        ? turn.result({ tools: [{ name: "may", inputSchema: { type: "object" } }] })
        : turn.result({ content: [{ type: "text", text: "at once" }] }),
    ),
  )
  for (const [name, { url }] of Object.entries({ old, extension, plain })) {
    gateways[name] = await mcpGateway(`{targets: [{name: one, mcp: {host: "${url}"}}]}`)
  }
})
afterAll(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close()
  await old.close()
  await extension.close()
  await plain.close()
})

const url = (name: "old" | "extension" | "plain"): string => (gateways[name] as McpGateway).url
const textOf = (said: Said): string =>
  ((answerOf(said).result?.["content"] as ReadonlyArray<{ text: string }> | undefined) ?? [])[0]?.text ?? said.text

const call = (name: "old" | "extension" | "plain", tool: string, args: Json = {}, capabilities: Json = {}) =>
  ask(url(name), "tools/call", { name: tool, arguments: args }, { capabilities })

/** Asks again until the answer is what is waited for; the test's own time limit ends it. */
const eventually = async (look: () => Promise<Json>, isThere: (found: Json) => boolean): Promise<Json> => {
  for (;;) {
    const found = await look()
    if (isThere(found)) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Asks after a task until it does not work any more. */
const ended = (
  name: "old" | "extension",
  taskId: unknown,
  isOver = (status: unknown): boolean => status !== "working",
): Promise<Json> =>
  eventually(
    async () => {
      const said = answerOf(await ask(url(name), "tasks/get", { taskId }, { capabilities: tasked }))
      return said.result ?? (said.error as Json)
    },
    ({ status }) => isOver(status),
  )

const withTask = (client: SessionClient, name: string, args: Json = {}): Promise<Said> =>
  client.request("tools/call", { name, arguments: args, task: { ttl: 60_000 } })

const taskIn = (said: Said): Json => {
  const task = answerOf(said).result?.["task"] as Json | undefined
  if (task === undefined) throw new Error(said.text)
  return task
}

describe("a client that knows no tasks", () => {
  it("is answered by a server that knows none either", async () => {
    expect(textOf(await call("plain", "may"))).toBe("at once")
  })

  it("is answered by a server of 2025-11-25: at once where it may be, else at the end", async () => {
    expect(textOf(await call("old", "may"))).toBe("at once")
    expect(textOf(await call("old", "must"))).toBe("in the end")
    const client = await begin(url("old"))
    expect(textOf(await client.request("tools/call", { name: "must" }))).toBe("in the end")
  })

  it("is answered by a server of the extension, at the end", async () => {
    expect(textOf(await call("extension", "slow_compute", { seconds: 0.05, label: "a" }))).toBe("Computed a")
    const client = await begin(url("extension"))
    const failed = answerOf(await client.request("tools/call", { name: "failing_job", arguments: {} }))
    expect(failed.result).toMatchObject({ isError: true, content: [{ text: "The job failed" }] })
  })

  it("is told what it lacks, where it speaks the revision in which that can be said", async () => {
    expect(answerOf(await call("extension", "failing_job")).error).toMatchObject({ code: -32_021 })
  })

  it("is asked what the task asks", async () => {
    const asked = answerOf(await call("old", "asks", {}, { elicitation: { form: {} } })).result as Json
    expect(asked["resultType"]).toBe("input_required")
    const [key] = Object.keys(asked["inputRequests"] as Json)
    const said = await ask(
      url("old"),
      "tools/call",
      {
        name: "asks",
        arguments: {},
        requestState: asked["requestState"],
        inputResponses: { [key as string]: { action: "accept", content: { a: 1 } } },
      },
      { capabilities: { elicitation: { form: {} } } },
    )
    expect(JSON.parse(textOf(said))).toEqual({ action: "accept", content: { a: 1 } })
  })
})

/** What each kind of server has that may be a task, and what is said in the end. */
const inTheEnd = [
  ["without tasks", "plain", "may", {}, "at once"],
  ["of 2025-11-25", "old", "must", {}, "in the end"],
  ["of the extension", "extension", "slow_compute", { seconds: 0.05, label: "e" }, "Computed e"],
] as const

/** Revisions that know no tasks, the extension included, which is one of requests without a session. */
const before = ["2024-11-05", "2025-03-26", "2025-06-18"] as const

describe.each(before)("a client of %s", (version) => {
  it.each(inTheEnd)("has no tasks at a server %s, and every answer", async (_kind, server, tool, args, text) => {
    const client = await begin(url(server), { version })
    const shown = JSON.stringify(client.introduction["capabilities"])
    expect(shown).not.toContain("tasks")
    expect(textOf(await client.request("tools/call", { name: tool, arguments: args }))).toBe(text)
    // What belongs to other revisions changes nothing.
    expect(textOf(await withTask(client, tool, args))).toBe(text)
    for (const method of ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"]) {
      expect(answerOf(await client.request(method, { taskId: "x" })).error, method).toMatchObject({ code: -32_601 })
    }
  })
})

describe.each([...before, "2025-11-25"])(
  "a client of %s that declares the extension of a later revision",
  (version) => {
    it.each(inTheEnd)("has the answer of a server %s, in its own words", async (_kind, server, tool, args, text) => {
      const client = await begin(url(server), { version, capabilities: tasked })
      const answer = await client.request("tools/call", { name: tool, arguments: args })
      expect(textOf(answer)).toBe(text)
      expect(answerOf(answer).result?.["resultType"]).toBeUndefined()
    })
  },
)

describe("methods of the other kind of tasks", () => {
  it.each(["plain", "old", "extension"] as const)("are none, in front of the server %s", async (server) => {
    const client = await begin(url(server))
    const update = answerOf(await client.request("tasks/update", { taskId: "x", inputResponses: {} }))
    expect(update.error).toMatchObject({ code: -32_601 })
    for (const method of ["tasks/list", "tasks/result"]) {
      const said = await ask(url(server), method, { taskId: "x" }, { capabilities: tasked })
      expect([said.status, answerOf(said).error?.["code"]]).toEqual([404, -32_601])
    }
  })
})

describe("a client of 2025-11-25", () => {
  it("is told of no tasks where there are none, and answered all the same", async () => {
    const client = await begin(url("plain"))
    expect((client.introduction["capabilities"] as Json)["tasks"]).toBeUndefined()
    expect(textOf(await client.request("tools/call", { name: "may" }))).toBe("at once")
  })

  it.each([
    ["of its own kind", "old", "must", {}, "in the end"],
    ["of the extension", "extension", "slow_compute", { seconds: 0.1, label: "b" }, "Computed b"],
  ] as const)("has tasks at a server %s", async (_kind, server, tool, args, text) => {
    const client = await begin(url(server))
    expect((client.introduction["capabilities"] as Json)["tasks"]).toMatchObject({ requests: { tools: { call: {} } } })
    const task = taskIn(await withTask(client, tool, args))
    expect(task).toMatchObject({ status: "working", ttl: 60_000 })
    const { taskId } = task
    expect(String(taskId)).not.toContain("native")
    const got = answerOf(await client.request("tasks/get", { taskId })).result
    expect(got).toMatchObject({ taskId })
    const end = await client.request("tasks/result", { taskId })
    expect(textOf(end)).toBe(text)
    expect(answerOf(end).result?.["_meta"]).toEqual({ "io.modelcontextprotocol/related-task": { taskId } })
    const list = answerOf(await client.request("tasks/list")).result?.["tasks"] as ReadonlyArray<Json>
    expect(list.find((one) => one["taskId"] === taskId)).toMatchObject({ status: "completed" })
    expect(answerOf(await client.request("tasks/cancel", { taskId })).error).toMatchObject({ code: -32_602 })
  })

  it("is told that a task has failed whose tool has, at a server for which it has ended", async () => {
    const client = await begin(url("old"))
    const { taskId } = taskIn(await withTask(client, "fails", {}))
    const end = answerOf(await client.request("tasks/result", { taskId })).result
    expect(end).toMatchObject({ isError: true, content: [{ text: "it failed" }] })
    expect(answerOf(await client.request("tasks/get", { taskId })).result).toMatchObject({ taskId, status: "failed" })
  })

  it("gives up a task of the extension", async () => {
    const client = await begin(url("extension"))
    const { taskId } = taskIn(await withTask(client, "slow_compute", { seconds: 60 }))
    expect(answerOf(await client.request("tasks/cancel", { taskId })).result).toMatchObject({
      taskId,
      status: "cancelled",
    })
  })

  it("has a finished task where the server did not make one", async () => {
    const client = await begin(url("extension"))
    const { taskId, status } = taskIn(await withTask(client, "greet", { name: "Ada" }))
    expect(status).toBe("completed")
    expect(textOf(await client.request("tasks/result", { taskId }))).toBe("Hello, Ada!")
  })

  it("is asked while it waits for the result, and told which task asks", async () => {
    const client = await begin(url("extension"), { capabilities: { elicitation: { form: {} } } })
    const { taskId } = taskIn(await withTask(client, "confirm_delete", { filename: "x" }))
    const result = client.request("tasks/result", { taskId })
    // The question comes in the reply that is still being read, so it is answered by its number.
    await eventually(
      async () => {
        await client.send({ id: "1", result: { action: "accept", content: { confirm: "yes" } } })
        return answerOf(await client.request("tasks/get", { taskId })).result as Json
      },
      ({ status }) => status === "completed",
    )
    const said = await result
    const question = said.messages.find((one) => one["method"] === "elicitation/create") as Json
    expect(question["params"]).toMatchObject({
      message: "Delete x?",
      _meta: { "io.modelcontextprotocol/related-task": { taskId } },
    })
    expect(textOf(said)).toContain("yes")
  })
})

describe("a client of the extension", () => {
  it("is answered at once by a server without tasks", async () => {
    expect(textOf(await call("plain", "may", {}, tasked))).toBe("at once")
  })

  it("has tasks at a server of 2025-11-25 where the tool has to be one, with the end inside", async () => {
    expect(answerOf(await call("old", "may", {}, tasked)).result).toMatchObject({ resultType: "complete" })
    const task = answerOf(await call("old", "must", {}, tasked)).result as Json
    expect(task).toMatchObject({ resultType: "task", status: "working", ttlMs: 60_000, pollIntervalMs: 50 })
    const end = await ended("old", task["taskId"])
    expect(end).toMatchObject({
      taskId: task["taskId"],
      status: "completed",
      result: { content: [{ text: "in the end" }] },
    })
    expect(old.calls("tasks/result").length).toBeGreaterThan(0)
  })

  it("sees a tool that failed as one that completed with an error", async () => {
    const task = answerOf(await call("old", "fails", {}, tasked)).result as Json
    expect(await ended("old", task["taskId"])).toMatchObject({ status: "completed", result: { isError: true } })
  })

  it("sees what the task asks, and answers there", async () => {
    const { taskId } = answerOf(await call("old", "asks", {}, tasked)).result as Json
    const asked = await ended("old", taskId)
    expect(asked).toMatchObject({ status: "input_required" })
    const requests = asked["inputRequests"] as Record<string, Json>
    const [key = ""] = Object.keys(requests)
    expect(requests[key]).toMatchObject({ method: "elicitation/create", params: { message: "Sure?", mode: "form" } })
    const answer = { taskId, inputResponses: { [key]: { action: "accept", content: { yes: true } } } }
    const acknowledged = answerOf(await ask(url("old"), "tasks/update", answer, { capabilities: tasked })).result
    expect(acknowledged).toEqual({ resultType: "complete" })
    const end = await ended("old", taskId, (status) => status === "completed")
    expect(JSON.stringify(end["result"])).toContain("yes")
  })

  it("gives up a task of 2025-11-25, and may do so twice", async () => {
    const { taskId } = answerOf(await call("old", "asks", {}, tasked)).result as Json
    for (const _ of [1, 2]) {
      const said = await ask(url("old"), "tasks/cancel", { taskId }, { capabilities: tasked })
      expect(answerOf(said).result).toEqual({ resultType: "complete" })
    }
    expect(await ended("old", taskId)).toMatchObject({ status: "cancelled" })
  })

  it("has tasks at a server of its own kind, by names that are good for nobody else", async () => {
    const { taskId } = answerOf(await call("extension", "slow_compute", { seconds: 0.05 }, tasked)).result as Json
    expect(await ended("extension", taskId)).toMatchObject({ taskId, status: "completed" })
    expect(answerOf(await ask(url("old"), "tasks/get", { taskId }, { capabilities: tasked })).error).toMatchObject({
      code: -32_602,
    })
  })
})

describe("a task", () => {
  it("is its principal's alone", async () => {
    const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${extension.url}"}}]}`, {
      policies: `{apiKey: {mode: strict, keys: [{key: first-key}, {key: second-key}]}}`,
    })
    const as = (key: string) => ({ capabilities: tasked, headers: { authorization: `Bearer ${key}` } })
    const params = { name: "slow_compute", arguments: { seconds: 30 } }
    const { taskId } = answerOf(await ask(gateway.url, "tools/call", params, as("first-key"))).result as Json
    for (const method of ["tasks/get", "tasks/cancel"]) {
      expect(answerOf(await ask(gateway.url, method, { taskId }, as("second-key"))).error).toMatchObject({
        code: -32_602,
      })
    }
    expect(answerOf(await ask(gateway.url, "tasks/get", { taskId }, as("first-key"))).result).toMatchObject({ taskId })
    await ask(gateway.url, "tasks/cancel", { taskId }, as("first-key"))
    await gateway.close()
  })
})
