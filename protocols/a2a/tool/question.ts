/** What an agent wants to know, as a form that MCP clients can show, and what was filled in as a message. */
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../Fields.ts"
import { type Gathered, textIn } from "./Gathered.ts"

/** The only field of a form that asks in words. */
const ANSWER = "answer"

export interface Form {
  readonly message: string
  readonly requestedSchema: Fields
  /** The agent itself said what it wants; else it gets a text. */
  readonly isOwn: boolean
}

const primitive: ReadonlySet<unknown> = new Set(["string", "number", "integer", "boolean"])

const isChoice = (schema: Fields): boolean => {
  const items = fieldsOf(schema["items"])
  return schema["type"] === "array" && (Array.isArray(items["enum"]) || Array.isArray(items["anyOf"]))
}

/** Forms are flat, with fields that anybody can fill in. */
const isForm = (schema: Fields): boolean => {
  const properties = schema["properties"]
  return (
    schema["type"] === "object" &&
    isFields(properties) &&
    Object.keys(properties).length > 0 &&
    Object.values(properties).every((one) => isFields(one) && (primitive.has(one["type"]) || isChoice(one)))
  )
}

/** Agents that know what they want say it as a JSON schema in a piece of data. */
const ownSchema = (message: ReadonlyArray<Fields>): Fields | undefined => {
  for (const part of message) {
    const data = fieldsOf(part["data"])
    for (const schema of [data["requestedSchema"], data["schema"], data]) {
      if (isFields(schema) && isForm(schema)) {
        return { type: "object", properties: schema["properties"], required: listOf(schema["required"]) }
      }
    }
  }
  return undefined
}

export const formOf = (gathered: Pick<Gathered, "message">, agent: string): Form => {
  const own = ownSchema(gathered.message)
  const message = textIn(gathered.message) ?? `${agent} needs to know more before it can go on.`
  return {
    message,
    isOwn: own !== undefined,
    requestedSchema: own ?? {
      type: "object",
      properties: { [ANSWER]: { type: "string", title: "Answer", description: "What to tell the agent" } },
      required: [ANSWER],
    },
  }
}

/** The parts of the message that says what was filled in; undefined: nothing was. */
export const answerParts = (content: unknown, isOwn: boolean): ReadonlyArray<Fields> | undefined => {
  const filled = fieldsOf(content)
  if (isOwn) return [{ data: filled }]
  const text = textOf(filled[ANSWER])
  if (text !== undefined) return [{ text }]
  return Object.keys(filled).length === 0 ? undefined : [{ data: filled }]
}
