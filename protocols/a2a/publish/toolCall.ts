/** Messages of A2A as calls of tools, and what comes of them. */
import { type Fields, fieldsOf, isFields, listOf, parse, present, textOf } from "../Fields.ts"

export interface ToolCall {
  readonly name: string
  readonly arguments: Fields
}

/** What cannot be told from the message, to be asked back. */
export interface Unclear {
  readonly question: string
}

const textIn = (message: Fields): string =>
  listOf(message["parts"])
    .flatMap((part) => textOf(fieldsOf(part)["text"]) ?? [])
    .join("\n")

const dataIn = (message: Fields): Fields | undefined =>
  listOf(message["parts"])
    .map((part) => fieldsOf(part)["data"])
    .find(isFields)

/** The one argument that a plain text can only be meant for. */
const onlyText = (tool: Fields): string | undefined => {
  const { properties, required } = fieldsOf(tool["inputSchema"])
  const names = Object.entries(fieldsOf(properties))
    .filter(([, schema]) => fieldsOf(schema)["type"] === "string")
    .map(([name]) => name)
  const wanted = listOf(required).flatMap((one) => textOf(one) ?? [])
  const [needed] = wanted
  if (wanted.length === 1 && needed !== undefined && names.includes(needed)) return needed
  return wanted.length === 0 && names.length === 1 ? names[0] : undefined
}

const takesNothing = (tool: Fields): boolean =>
  Object.keys(fieldsOf(fieldsOf(tool["inputSchema"])["properties"])).length === 0

/** By the skill that is named, in metadata or in the data; else by there being only one. */
export const callOf = (
  message: Fields,
  skill: string | undefined,
  tools: ReadonlyArray<Fields>,
): ToolCall | Unclear => {
  const data = dataIn(message)
  const inData = data === undefined ? undefined : (textOf(data["skill"]) ?? textOf(data["tool"]))
  const isWrapped = inData !== undefined && isFields(data?.["arguments"])
  const only = tools.length === 1 ? textOf(tools[0]?.["name"]) : undefined
  const name = skill ?? (isWrapped ? inData : undefined) ?? only
  const names = tools.flatMap((tool) => textOf(tool["name"]) ?? [])
  const choose = `Name one of these skills in \`metadata.skill\`: ${names.join(", ")}.`
  if (name === undefined) return { question: `Which skill is meant? ${choose}` }
  const tool = tools.find((one) => one["name"] === name)
  if (tool === undefined) return { question: `There is no skill ${JSON.stringify(name)}. ${choose}` }
  if (isWrapped) return { name, arguments: fieldsOf(data?.["arguments"]) }
  if (data !== undefined) return { name, arguments: data }
  const text = textIn(message)
  const written = parse(text)?.value
  if (isFields(written)) return { name, arguments: written }
  const argument = onlyText(tool)
  if (argument !== undefined && text !== "") return { name, arguments: { [argument]: text } }
  if (takesNothing(tool)) return { name, arguments: {} }
  return {
    question: `The skill ${name} needs its arguments as data, of this JSON schema: ${JSON.stringify(tool["inputSchema"])}`,
  }
}

const partOf = (content: Fields): Fields => {
  const mediaType = textOf(content["mimeType"])
  switch (content["type"]) {
    case "text":
      return { text: textOf(content["text"]) ?? "" }
    case "image":
    case "audio":
      return present({ raw: content["data"], mediaType })
    case "resource_link":
      return present({ url: content["uri"], filename: textOf(content["name"]), mediaType })
    case "resource": {
      const resource = fieldsOf(content["resource"])
      const of = present({ filename: textOf(resource["uri"]), mediaType: textOf(resource["mimeType"]) })
      return typeof resource["blob"] === "string"
        ? { raw: resource["blob"], ...of }
        : { text: textOf(resource["text"]) ?? "", ...of }
    }
    default:
      return { data: content }
  }
}

const sameJson = (text: unknown, value: unknown): boolean => {
  const written = typeof text === "string" ? parse(text) : undefined
  return written !== undefined && JSON.stringify(written.value) === JSON.stringify(value)
}

/** What a tool gave back as parts; a text that only repeats the structured content is left out. */
export const partsOfResult = (result: Fields): ReadonlyArray<Fields> => {
  const { content, structuredContent } = result
  const parts = listOf(content).map((one) => partOf(fieldsOf(one)))
  if (structuredContent === undefined) return parts
  return [...parts.filter(({ text }) => !sameJson(text, structuredContent)), { data: structuredContent }]
}

/** What a tool asks in between: one question after the other is one message. */
export interface Questions {
  readonly parts: ReadonlyArray<Fields>
  /** Somebody has to go somewhere, and nothing is to be said. */
  readonly isSignIn: boolean
  readonly keys: ReadonlyArray<string>
}

export const questionsOf = (result: Fields): Questions | undefined => {
  if (result["resultType"] !== "input_required") return undefined
  const requests = Object.entries(fieldsOf(result["inputRequests"]))
  const parts = requests.flatMap(([, request]): ReadonlyArray<Fields> => {
    const params = fieldsOf(fieldsOf(request)["params"])
    const said = textOf(params["message"])
    const url = params["mode"] === "url" ? textOf(params["url"]) : undefined
    const { requestedSchema } = params
    return [
      ...(said === undefined ? [] : [{ text: said }]),
      ...(url === undefined ? [] : [{ url }]),
      ...(isFields(requestedSchema) ? [{ data: { requestedSchema } }] : []),
    ]
  })
  return {
    parts,
    isSignIn:
      requests.length > 0 && requests.every(([, request]) => fieldsOf(fieldsOf(request)["params"])["mode"] === "url"),
    keys: requests.map(([key]) => key),
  }
}

const onlyField = (request: unknown): string | undefined => {
  const schema = fieldsOf(fieldsOf(fieldsOf(request)["params"])["requestedSchema"])
  const names = Object.keys(fieldsOf(schema["properties"]))
  return names.length === 1 ? names[0] : undefined
}

/** What the client answered, for every question alike: its data, or its text where a form has one field. */
export const responsesOf = (message: Fields, inputRequests: Fields): Fields => {
  const data = dataIn(message)
  const text = textIn(message)
  return Object.fromEntries(
    Object.entries(inputRequests).map(([key, request]) => {
      const isUrl = fieldsOf(fieldsOf(request)["params"])["mode"] === "url"
      if (isUrl) return [key, { action: "accept" }]
      const field = onlyField(request)
      const content = data ?? (field !== undefined && text !== "" ? { [field]: text } : undefined)
      return [key, content === undefined ? { action: "decline" } : { action: "accept", content }]
    }),
  )
}
