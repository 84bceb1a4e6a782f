/** What a gateway was told to pass on outlives it, however suddenly it ends. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, expect, it } from "vitest"
import { type Agent, startAgent } from "./agent.ts"
import { ask } from "./gateway.ts"
import { type Hook, startHook } from "./hook.ts"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface World {
  readonly agent: Agent
  readonly root: string
  readonly hookPort: number
  /** Waits until the gateway has taken from the agent what says this; agents do not say it twice. */
  readonly keeps: (words: string) => Promise<void>
  readonly start: () => Promise<Standalone>
}

const world = async (workers: number): Promise<World> => {
  const directory = makeDirectory()
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }))
  const [port, hookPort] = [await freePort(), await freePort()]
  const agent = await startAgent()
  closing.push(() => agent.close())
  const file = path.join(directory, "gateway.yaml")
  const data = path.join(directory, "data.db")
  fs.writeFileSync(
    file,
    `
config:
  database: {url: 'sqlite://${data}'}
  a2a: {push: {callback: 'http://127.0.0.1:${port}', allowHosts: [127.0.0.1], timeout: 500ms}}
gateways: {default: {port: ${port}}}
routes:
- policies: {a2a: {bridge: {}}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`,
  )
  return {
    agent,
    root: `http://127.0.0.1:${port}`,
    hookPort,
    keeps: async (words) => {
      const database = new DatabaseSync(data, { readOnly: true })
      const found = database.prepare("SELECT COUNT(*) AS count FROM a2a_push_letter WHERE body LIKE ?")
      await until(() => found.get(`%${words}%`)?.["count"] !== 0)
      database.close()
    },
    start: async () => {
      const gateway = new Standalone({ args: ["-f", file], env: { WORKER_THREADS: String(workers) } })
      closing.push(() => gateway.kill("SIGKILL"))
      return gateway.serving()
    },
  }
}

const rpc = async (root: string, method: string, params: unknown): Promise<unknown> => {
  const { body } = await ask("POST", root, { jsonrpc: "2.0", id: 1, method, params }, { "a2a-version": "1.0" })
  return (body as { readonly result?: unknown }).result ?? body
}

const said = (word: string, more: Record<string, unknown> = {}) => ({
  message: {
    messageId: `${word}-${crypto.randomUUID()}`,
    role: "ROLE_USER",
    parts: [{ text: "hello" }],
    ...more,
  },
})

const statesIn = ({ got }: Hook): ReadonlyArray<string> =>
  got.flatMap(({ text }) => /"state":"(TASK_STATE_\w+)"/.exec(text)?.[1] ?? [])

const idsIn = ({ got }: Hook): ReadonlyArray<string> =>
  got.map(({ headers }) => String(headers["x-a2a-notification-id"]))

it.each([1, 2])(
  "notifications survive the sudden end of a gateway with %i workers",
  async (workers) => {
    const { hookPort, keeps, root, start } = await world(workers)
    const first = await start()
    const url = `http://127.0.0.1:${hookPort}/hook`
    const { task } = (await rpc(root, "SendMessage", {
      ...said("tck-input-required"),
      configuration: { taskPushNotificationConfig: { id: "mine", url, token: "shh" } },
    })) as { readonly task: { readonly id: string; readonly contextId: string } }
    await keeps("TASK_STATE_INPUT_REQUIRED")
    // Nobody takes what there is to be told, and then nobody is there to tell it.
    first.kill("SIGKILL")
    await first.ended

    const hook = await startHook(hookPort)
    closing.push(() => hook.close())
    await start()
    await until(
      () => statesIn(hook).includes("TASK_STATE_INPUT_REQUIRED"),
      () => `told ${hook.got.map(({ text }) => text).join("\n")}`,
    )
    // What was arranged with the gateway that is gone holds with the one that is there.
    expect(await rpc(root, "GetTaskPushNotificationConfig", { taskId: task.id, id: "mine" })).toMatchObject({
      id: "mine",
      url,
      token: "shh",
    })
    await rpc(root, "SendMessage", said("tck-complete-task", { taskId: task.id, contextId: task.contextId }))
    await until(() => statesIn(hook).includes("TASK_STATE_COMPLETED"))
    const ids = idsIn(hook)
    expect(new Set(ids).size).toBe(ids.length)
    const numbers = ids.map((id) => Number(/(\d+)$/.exec(id)?.[1]))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    for (const { headers } of hook.got) expect(headers["x-a2a-notification-token"]).toBe("shh")
  },
  120_000,
)

it("a gateway that dies while it tells somebody tells it again, by the same name", async () => {
  const { hookPort, keeps, root, start } = await world(1)
  const first = await start()
  const hook = await startHook(hookPort)
  closing.push(() => hook.close())
  hook.answer = () => undefined
  await rpc(root, "SendMessage", {
    ...said("tck-complete-task"),
    configuration: { taskPushNotificationConfig: { url: hook.url } },
  })
  await keeps("TASK_STATE_COMPLETED")
  await until(() => hook.got.length > 0)
  first.kill("SIGKILL")
  await first.ended
  const before = hook.got.length
  hook.answer = () => 204
  await start()
  await until(() => statesIn(hook).slice(before).includes("TASK_STATE_COMPLETED"))
  const ids = idsIn(hook)
  expect(ids[before]).toBe(ids[0])
  expect(new Set(ids.slice(before)).size).toBe(ids.length - before)
}, 120_000)

it("what clients entrust to the gateway is not in its database to be read", async () => {
  const { hookPort, root, start } = await world(1)
  const gateway = await start()
  const secret = "canary-of-push"
  await rpc(root, "SendMessage", {
    ...said("tck-input-required"),
    configuration: {
      taskPushNotificationConfig: {
        url: `http://127.0.0.1:${hookPort}/${secret}`,
        token: secret,
        authentication: { scheme: "Bearer", credentials: secret },
      },
    },
  })
  await gateway.stop()
  const { args } = { args: gateway.child.spawnargs }
  const directory = path.dirname(args.at(-1) ?? "")
  for (const name of fs.readdirSync(directory)) {
    expect(fs.readFileSync(path.join(directory, name)).includes(secret), name).toBe(false)
  }
  expect(gateway.out + gateway.error).not.toContain(secret)
}, 120_000)
