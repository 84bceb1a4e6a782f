/** What a client declared it can do, as far as a question of a server needs it. */
import { Fields, itemsOf, type Json } from "../../../protocols/mcp/json.ts"

const parsed = new Map<Json, Capabilities>()
const parsedMax = 1_024

export interface Capabilities {
  readonly fields: Fields
  readonly roots: boolean
  readonly sampling: boolean
  readonly samplingTools: boolean
  readonly samplingContext: boolean
  readonly elicitationForm: boolean
  readonly elicitationUrl: boolean
  /** Those that make servers behave differently, in one text; empty where there are none. */
  readonly fingerprint: string
}

const make = (text: Json): Capabilities => {
  const fields = Fields.parse(text) ?? Fields.empty
  const sampling = fields.object("sampling")
  const elicitation = fields.object("elicitation")
  const url = elicitation?.has("url") === true
  const made = {
    fields,
    roots: fields.object("roots") !== undefined,
    sampling: sampling !== undefined,
    samplingTools: sampling?.has("tools") === true,
    samplingContext: sampling?.has("context") === true,
    // Empty means forms, which was all there was once.
    elicitationForm: elicitation !== undefined && (elicitation.has("form") || !url),
    elicitationUrl: url,
  }
  const marks = [
    made.roots ? "r" : "",
    made.sampling ? "s" : "",
    made.samplingTools ? "t" : "",
    made.samplingContext ? "c" : "",
    made.elicitationForm ? "f" : "",
    made.elicitationUrl ? "u" : "",
  ]
  return { ...made, fingerprint: marks.join("") }
}

/** Clients repeat themselves, so the same text is read once. */
export const capabilitiesOf = (text: Json): Capabilities => {
  let known = parsed.get(text)
  if (known === undefined) {
    known = make(text)
    if (parsed.size >= parsedMax) parsed.clear()
    if (text.length <= 4_096) parsed.set(text, known)
  }
  return known
}

const ofTools = /"(?:tools|toolChoice|tool_use|tool_result)"|"content"\s*:\s*\[/

/** Whether a model is to be asked in a way that came with the use of tools. */
const wantsTools = (params: Json | undefined): boolean => {
  // Most questions hold none of these words anywhere.
  if (params === undefined || !ofTools.test(params)) return false
  const fields = Fields.parse(params)
  if (fields?.has("tools") === true || fields?.has("toolChoice") === true) return true
  return (itemsOf(fields?.get("messages")) ?? []).some((message) => {
    const content = Fields.parse(message)?.get("content")
    const type = Fields.parse(content)?.string("type")
    return content?.startsWith("[") === true || type === "tool_use" || type === "tool_result"
  })
}

/** Whether a client that declared this may be asked that. */
export const mayAsk = (capabilities: Capabilities, method: string, params: Json | undefined): boolean => {
  switch (method) {
    case "roots/list":
      return capabilities.roots
    case "sampling/createMessage":
      return capabilities.sampling && (capabilities.samplingTools || !wantsTools(params))
    case "elicitation/create":
      return Fields.parse(params)?.string("mode") === "url" ? capabilities.elicitationUrl : capabilities.elicitationForm
    default:
      return false
  }
}

/** The capability that a client lacks, as `requiredCapabilities` says it. */
export const required = (method: string, params: Json | undefined): Record<string, unknown> => {
  switch (method) {
    case "roots/list":
      return { roots: {} }
    case "sampling/createMessage":
      return { sampling: wantsTools(params) ? { tools: {} } : {} }
    default:
      return Fields.parse(params)?.string("mode") === "url" ? { elicitation: { url: {} } } : { elicitation: {} }
  }
}
