/** Tasks of servers with sessions outlive the gateway that began them: their names say in which session to ask. */
import { afterEach, expect, it } from "vitest"
import { answerOf, ask, type Json, legacy, mcpGateway, type Scripted, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const tasked = { extensions: { "io.modelcontextprotocol/tasks": {} } }

/** A server that knows a task only in the session that began it, and drops it with that session. */
const strict = async (): Promise<Scripted & { readonly finish: () => void }> => {
  const tasks = new Map<string, { readonly session: string; status: string }>()
  const shown = (taskId: string, status: string) => ({
    taskId,
    status,
    createdAt: "2026-01-01T00:00:00Z",
    lastUpdatedAt: "2026-01-01T00:00:00Z",
    ttl: 60_000,
  })
  const server = await scripted(
    legacy(
      ({ error, headers, message: { method, params = {} }, result }) => {
        const session = String(headers["mcp-session-id"])
        if (method === "tools/list") {
          const tool = { name: "long", inputSchema: { type: "object" }, execution: { taskSupport: "required" } }
          return result({ tools: [tool] })
        }
        if (method === "tools/call") {
          const id = `task-${tasks.size + 1}`
          tasks.set(id, { session, status: "working" })
          return result({ task: shown(id, "working") })
        }
        const id = String(params["taskId"])
        const task = tasks.get(id)
        if (task === undefined || task.session !== session) return error(-32_602, "no such task here")
        if (method === "tasks/get") return result(shown(id, task.status))
        return result({ content: [{ type: "text", text: `${id} is done` }] })
      },
      { tools: {}, tasks: { requests: { tools: { call: {} } } } },
    ),
  )
  return Object.assign(server, {
    finish: () => {
      for (const task of tasks.values()) task.status = "completed"
    },
  })
}

it("a task is asked after by another gateway with the same key, in the session that began it", async () => {
  const server = await strict()
  open.push(server)
  const options = { sealingKey: new Uint8Array(32).fill(9) }
  const begun = (): ReturnType<typeof mcpGateway> =>
    mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, { options })
  const first = await begun()
  const start = async (url: string): Promise<unknown> =>
    (answerOf(await ask(url, "tools/call", { name: "long" }, { capabilities: tasked })).result as Json)["taskId"]
  const look = async (url: string, taskId: unknown): Promise<Json> => {
    const answer = answerOf(await ask(url, "tasks/get", { taskId }, { capabilities: tasked }))
    return answer.result ?? (answer.error as Json)
  }
  const [before, other] = [await start(first.url), await start(first.url)]
  expect(await look(first.url, before)).toMatchObject({ status: "working" })
  await first.close()
  // The session is left to its server: ending it would have ended its tasks.
  expect(server.requests.filter(({ method }) => method === "DELETE")).toEqual([])

  const second = await begun()
  open.push(second)
  const after = await start(second.url)
  for (const id of [before, after, other]) expect(await look(second.url, id)).toMatchObject({ status: "working" })
  server.finish()
  for (const [id, text] of [
    [before, "task-1 is done"],
    [after, "task-3 is done"],
    [other, "task-2 is done"],
  ]) {
    expect(await look(second.url, id)).toMatchObject({ status: "completed", result: { content: [{ text }] } })
  }
  expect(server.calls("initialize").length).toBeLessThanOrEqual(5)
})
