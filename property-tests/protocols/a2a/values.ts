/** Values of A2A 1.0 as agents and clients write them, with fields nobody knows among them where those can survive. */
import * as fc from "fast-check"
import type { Fields } from "../../../protocols/a2a/Fields.ts"
import { states } from "../../../protocols/a2a/dialect/words.ts"
import type { Call } from "../../../protocols/a2a/operation.ts"

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/)
const id = fc.oneof(
  word,
  fc.stringMatching(/^[A-Za-z0-9._~:@!$&'()*+,;=-]{1,20}$/),
  fc.string({ minLength: 1, maxLength: 8 }),
)
const safe = id.filter((text) => !/[/?#%]/.test(text) && text !== "." && text !== "..")

/** JSON whose numbers and keys protobuf can hold as well. */
const json: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown; object: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.boolean(),
    fc.integer({ min: -1000, max: 1000 }),
    fc.string({ maxLength: 6 }),
    fc.constant(null),
    fc.array(tie("any"), { maxLength: 2 }),
    tie("object"),
  ),
  object: fc.dictionary(word, tie("any"), { maxKeys: 3 }),
})).any

const object = fc.dictionary(word, json, { maxKeys: 3 })
const metadata = fc.dictionary(word, json, { minKeys: 1, maxKeys: 2 })

const base64 = fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("base64"))
const type = fc.constantFrom("text/plain", "application/json", "image/png")

const some = (required: Record<string, fc.Arbitrary<unknown>>, optional: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) }) as fc.Arbitrary<Fields>

export const part: fc.Arbitrary<Fields> = fc.oneof(
  some({ text: fc.string({ minLength: 1, maxLength: 12 }) }, { metadata, filename: word, mediaType: type }),
  some({ raw: base64 }, { metadata, filename: word, mediaType: type }),
  some({ url: word.map((path) => `https://example.com/${path}`) }, { metadata, filename: word, mediaType: type }),
  some({ data: fc.oneof(object, json) }, { metadata, filename: word, mediaType: type }),
)

/** As 0.3's protobuf package can carry them: it has no place for what a text or data is called. */
export const plainPart: fc.Arbitrary<Fields> = part.map((one) => {
  const { filename: _, mediaType: __, ...rest } = one
  return "raw" in one || "url" in one ? one : rest
})

const messageOf = (parts: fc.Arbitrary<Fields>, role: string, more: Record<string, fc.Arbitrary<unknown>> = {}) =>
  some(
    { messageId: id, role: fc.constant(role), parts: fc.array(parts, { minLength: 1, maxLength: 3 }) },
    {
      contextId: id,
      taskId: id,
      metadata,
      extensions: fc.array(word, { minLength: 1, maxLength: 2 }),
      ...more,
    },
  )

const timestamp = fc
  .date({ min: new Date(0), max: new Date(4_000_000_000_000), noInvalidDate: true })
  .map((date) => date.toISOString())

const statusOf = (parts: fc.Arbitrary<Fields>) =>
  some(
    { state: fc.constantFrom(...states.filter((state) => state !== "TASK_STATE_UNSPECIFIED")) },
    { message: messageOf(parts, "ROLE_AGENT"), timestamp: timestamp.map((text) => text.replace(/\.000Z$/, "Z")) },
  )

const artifactOf = (parts: fc.Arbitrary<Fields>) =>
  some(
    { artifactId: id, parts: fc.array(parts, { minLength: 1, maxLength: 2 }) },
    { name: word, description: word, metadata, extensions: fc.array(word, { minLength: 1, maxLength: 2 }) },
  )

export interface Kit {
  readonly message: fc.Arbitrary<Fields>
  readonly task: fc.Arbitrary<Fields>
  readonly event: fc.Arbitrary<Fields>
  readonly sent: fc.Arbitrary<Fields>
}

const kit = (parts: fc.Arbitrary<Fields>, more: Record<string, fc.Arbitrary<unknown>>): Kit => {
  const message = messageOf(parts, "ROLE_USER", more)
  const task = some(
    { id, contextId: id, status: statusOf(parts) },
    {
      history: fc.array(message, { minLength: 1, maxLength: 2 }),
      artifacts: fc.array(artifactOf(parts), { minLength: 1, maxLength: 2 }),
      metadata,
    },
  )
  const statusUpdate = some({ taskId: id, contextId: id, status: statusOf(parts) }, { metadata })
  const artifactUpdate = some(
    { taskId: id, contextId: id, artifact: artifactOf(parts) },
    { append: fc.constant(true), lastChunk: fc.constant(true), metadata },
  )
  const push = some(
    { url: word.map((path) => `https://example.com/${path}`) },
    {
      id: safe,
      token: word,
      authentication: some({ scheme: fc.constantFrom("Bearer", "Basic") }, { credentials: word }),
    },
  )
  const configuration = some(
    {},
    {
      acceptedOutputModes: fc.array(type, { minLength: 1, maxLength: 2 }),
      historyLength: fc.integer({ min: 1, max: 100 }),
      returnImmediately: fc.constant(true),
      taskPushNotificationConfig: push,
    },
  )
  return {
    message,
    task,
    event: fc.oneof(
      task.map((one) => ({ task: one })),
      message.map((one) => ({ message: one })),
      statusUpdate.map((one) => ({ statusUpdate: one })),
      artifactUpdate.map((one) => ({ artifactUpdate: one })),
    ),
    sent: some({ message }, { configuration, metadata }),
  }
}

/** Everything 1.0 can say. */
export const full = kit(part, { referenceTaskIds: fc.array(id, { minLength: 1, maxLength: 2 }) })
/** What survives the protobuf package of 0.3. */
export const narrow = kit(plainPart, {})

export const taskId = safe

export const calls = ({ sent }: Kit, lists: boolean): fc.Arbitrary<Call> => {
  const of = (operation: Call["operation"], params: fc.Arbitrary<Fields>) =>
    params.map((one): Call => ({ operation, params: one }))
  const push = some(
    { taskId: safe, url: word.map((path) => `https://example.com/${path}`) },
    { id: safe, token: word, authentication: some({ scheme: fc.constant("Bearer") }, { credentials: word }) },
  )
  const all = [
    of("SendMessage", sent),
    of("SendStreamingMessage", sent),
    of("GetTask", some({ id: safe }, { historyLength: fc.integer({ min: 1, max: 100 }) })),
    of("CancelTask", some({ id: safe }, {})),
    of("SubscribeToTask", some({ id: safe }, {})),
    of("CreateTaskPushNotificationConfig", push),
    of("GetTaskPushNotificationConfig", some({ taskId: safe, id: safe }, {})),
    of("DeleteTaskPushNotificationConfig", some({ taskId: safe, id: safe }, {})),
    of("ListTaskPushNotificationConfigs", some({ taskId: safe }, {})),
    of("GetExtendedAgentCard", some({}, {})),
  ]
  const list = of(
    "ListTasks",
    some(
      {},
      {
        contextId: safe,
        status: fc.constantFrom(...states.slice(1)),
        pageSize: fc.integer({ min: 1, max: 100 }),
        pageToken: word,
        includeArtifacts: fc.constant(true),
      },
    ),
  )
  return fc.oneof(...all, ...(lists ? [list] : []))
}
