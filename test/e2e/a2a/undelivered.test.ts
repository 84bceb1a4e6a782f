/** Notifications that were given up can be looked at, tried again and forgotten by whoever runs the gateway. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { notificationEndpoints } from "../../../src/admin/v1/notifications.ts"
import { openapi } from "../../../src/admin/v1/openapi.ts"
import type { Started } from "../harness.ts"
import { type Agent, startAgent } from "./agent.ts"
import { ask, gatewayFor } from "./gateway.ts"
import { type Hook, startHook } from "./hook.ts"
import { freePort } from "../../freePort.ts"

let agent: Agent
let hook: Hook
let gateway: Started
beforeAll(async () => {
  agent = await startAgent()
  hook = await startHook()
  const port = await freePort()
  gateway = await gatewayFor(
    `routes: [{policies: {a2a: {bridge: {}}}, backends: [{host: '127.0.0.1:${agent.port}'}]}]`,
    { push: { callback: `http://127.0.0.1:${port}`, allowedHosts: ["127.0.0.1"], attemptsMax: 1 } },
    port,
  )
})
afterAll(async () => {
  await gateway.close()
  await hook.close()
  await agent.close()
})

interface Listed {
  readonly notifications: ReadonlyArray<Readonly<Record<string, unknown>>>
}

const endpoints = () => notificationEndpoints(gateway.gateway.undelivered)
const done = async (method: string, name = ""): Promise<{ status: number; body: unknown }> => {
  const end = method === "POST" ? "/retry" : ""
  const found = endpoints().find((one) => one.method === method && (end === "" || one.path.endsWith(end)))
  const answer = await found?.run({ body: async () => "", query: new URLSearchParams() } as never, name)
  return { status: answer?.status ?? 200, body: JSON.parse(String(answer?.body)) }
}
const listed = async (): Promise<Listed["notifications"]> => ((await done("GET")).body as Listed).notifications

it("those that nobody took", async () => {
  hook.answer = () => 500
  const call = {
    jsonrpc: "2.0",
    id: 1,
    method: "SendMessage",
    params: {
      message: { messageId: "tck-input-required-1", role: "ROLE_USER", parts: [{ text: "hello" }] },
      configuration: { taskPushNotificationConfig: { url: `${hook.url}?secret=1`, token: "t" } },
    },
  }
  const { body } = await ask("POST", `http://127.0.0.1:${gateway.port}`, call, { "a2a-version": "1.0" })
  const { id } = (body as { result: { task: { id: string } } }).result.task
  await expect.poll(async () => (await listed()).length, { timeout: 20_000 }).toBeGreaterThan(0)
  const [first] = await listed()
  expect(first).toMatchObject({
    task: id,
    receiver: `http://127.0.0.1:${hook.port}`,
    attempts: 1,
    why: expect.stringContaining("500"),
  })
  expect(JSON.stringify(await listed())).not.toContain("secret")
  hook.answer = () => 204
  const name = String(first?.["id"])
  const sent = (): number => hook.got.filter(({ headers }) => headers["x-a2a-notification-id"] === name).length
  expect(sent()).toBe(1)
  expect((await done("POST", name)).body).toEqual({ retried: name })
  await expect.poll(sent, { timeout: 20_000 }).toBe(2)
  await expect.poll(async () => (await listed()).some(({ id: other }) => other === name)).toBe(false)
  expect((await done("POST", name)).status).toBe(404)
  hook.answer = () => 500
  await ask("POST", `http://127.0.0.1:${gateway.port}`, call, { "a2a-version": "1.0" })
  await expect.poll(async () => (await listed()).length, { timeout: 20_000 }).toBeGreaterThan(0)
  const [another] = await listed()
  expect((await done("DELETE", String(another?.["id"]))).body).toEqual({ dropped: another?.["id"] })
  expect((await listed()).some(({ id: other }) => other === another?.["id"])).toBe(false)
  expect((await done("DELETE", "none-1")).status).toBe(404)
})

it("are described, and nobody may do anything to them without a key", () => {
  const all = endpoints()
  expect(all.every(({ isGuarded }) => isGuarded)).toBe(true)
  expect(Object.keys((openapi(all, "1") as { paths: object }).paths)).toEqual([
    "/api/a2a/notifications/undelivered",
    "/api/a2a/notifications/undelivered/{id}/retry",
    "/api/a2a/notifications/undelivered/{id}",
  ])
})
