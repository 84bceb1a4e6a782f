/** What the compatibility kit is pointed at answers to its words, and nobody gets to the agent around the gateway. */
import { Role, type Task, TaskState } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { launch, type Launched } from "../../conformance/a2a.ts"
import { everyInterface } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { clientSpeaking } from "./gateway.ts"

let launched: Launched
beforeAll(async () => {
  launched = await launch()
}, 120_000)
afterAll(() => launched.close())

const message = (word: string) => ({
  tenant: "",
  message: {
    messageId: `${word}-${crypto.randomUUID()}`,
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart("hello")],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: undefined,
  metadata: undefined,
})

const states: Readonly<Record<string, TaskState>> = {
  "tck-complete-task": TaskState.TASK_STATE_COMPLETED,
  "tck-send-001": TaskState.TASK_STATE_COMPLETED,
  "tck-artifact-text": TaskState.TASK_STATE_COMPLETED,
  "tck-artifact-file": TaskState.TASK_STATE_COMPLETED,
  "tck-artifact-file-url": TaskState.TASK_STATE_COMPLETED,
  "tck-artifact-data": TaskState.TASK_STATE_COMPLETED,
  "tck-input-required": TaskState.TASK_STATE_INPUT_REQUIRED,
  "tck-reject-task": TaskState.TASK_STATE_REJECTED,
}

const streams: Readonly<Record<string, number>> = {
  "tck-stream-001": 1,
  "tck-stream-002": 1,
  "tck-stream-003": 1,
  "tck-stream-ordering-001": 1,
  "tck-stream-artifact-text": 1,
  "tck-stream-artifact-file": 1,
  "tck-stream-artifact-chunked": 2,
}

describe.each(everyInterface)("in $binding $version", (dialed) => {
  it("does what each word says", async () => {
    const client = await clientSpeaking(launched.root, dialed)
    for (const [word, state] of Object.entries(states)) {
      const task = (await client.sendMessage(message(word))) as Task
      expect(task.status?.state, word).toBe(state)
    }
    expect(await client.sendMessage(message("tck-message-response"))).toHaveProperty("parts")
    for (const [word, pieces] of Object.entries(streams)) {
      const kinds: Array<string> = []
      let last: TaskState | undefined
      for await (const { payload } of client.sendMessageStream(message(word))) {
        kinds.push(payload?.$case ?? "")
        if (payload?.$case === "statusUpdate") last = payload.value.status?.state
      }
      expect(kinds[0], word).toBe("task")
      expect(kinds.filter((kind) => kind === "artifactUpdate").length, word).toBe(pieces)
      expect(last, word).toBe(TaskState.TASK_STATE_COMPLETED)
    }
  })
})

it("nobody got to the agent around the gateway", () => expect(launched.around()).toEqual([]))
