/** The agent that comes with the gateway, by the configuration that is served when there is none. */
import { Role, type Task, TaskState } from "@a2a-js/sdk"
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { afterAll, beforeAll, expect, it } from "vitest"
import { formatAll } from "../../../src/config/ConfigIssue.ts"
import { load } from "../../../src/config/local/load.ts"
import { nodeIo } from "../../../src/config/local/nodeIo.ts"
import { embedded } from "../../../src/embedded/config.ts"
import { type Sample, startSample } from "../../../src/embedded/sample.ts"
import { everyInterface } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking } from "./gateway.ts"
import { type Started, startGateway } from "../harness.ts"
import { freePort } from "../../freePort.ts"

let sample: Sample
let gateway: Started
let root: string

beforeAll(async () => {
  sample = await startSample()
  const env = { ...sample.environment, SLUICE_PORT: String(await freePort()) }
  const loaded = await Effect.runPromise(Effect.result(load(embedded, { file: "embedded", env, io: nodeIo, cpus: 1 })))
  if (Result.isFailure(loaded)) throw new Error(formatAll(loaded.failure, "embedded"))
  gateway = await startGateway(loaded.success.snapshot)
  root = `http://127.0.0.1:${gateway.port}/agents/echo`
})
afterAll(async () => {
  await gateway.close()
  sample.close()
})

it("answers the call of the README", async () => {
  const readme = fs.readFileSync(new URL("../../../README.md", import.meta.url), "utf8")
  // The very command that the page shows, with the port of this test.
  const [, json = "", at = ""] =
    /curl -d '([^']+)' \\\n\s*http:\/\/localhost:4000(\/agents\/\S+) -H 'content-type: application\/json'/.exec(
      readme,
    ) ?? []
  expect(at).toBe("/agents/echo/message:send")
  const { body, status } = await ask("POST", `http://127.0.0.1:${gateway.port}${at}`, json)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    task: { status: { state: "TASK_STATE_COMPLETED" }, artifacts: [{ parts: [{ text: "hello" }] }] },
  })
})

it.each(everyInterface.filter(({ binding }) => binding !== "GRPC"))("speaks $binding $version", async (dialed) => {
  const client = await clientSpeaking(root, dialed)
  const message = {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart("one two three")],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  }
  const request = { tenant: "", message, configuration: undefined, metadata: undefined }
  const task = (await client.sendMessage(request)) as Task
  expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
  expect((await client.getTask({ tenant: "", id: task.id })).id).toBe(task.id)
  const words: Array<string> = []
  for await (const { payload } of client.sendMessageStream(request)) {
    const content = payload?.$case === "artifactUpdate" ? payload.value.artifact?.parts[0]?.content : undefined
    if (content?.$case === "text") words.push(content.value)
  }
  expect(words.join("")).toBe("one two three")
  expect(words.length).toBe(3)
})
