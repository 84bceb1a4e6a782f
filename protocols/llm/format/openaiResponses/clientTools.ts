/**
 * Tools of Responses that no other format has and that the client runs itself: its shells, its patches, and functions
 * gathered under a namespace. Other models are offered them as plain functions; what they call comes back as the items
 * the client knows.
 */
import type { Tool } from "../../Conversation.ts"
import { at, flagOf, isObject, type JsonObject, listOf, objectOf, objectsOf, parseJson, textOf } from "../../Json.ts"
import type { Notes } from "../../Notes.ts"

const builtIns = ["local_shell", "shell", "apply_patch"] as const
export type BuiltIn = (typeof builtIns)[number]

const text = { type: "string" }
const count = { type: "integer", minimum: 0 }
const taking = (properties: JsonObject, required: ReadonlyArray<string>): JsonObject => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
})

const offered: { readonly [K in BuiltIn]: { readonly description: string; readonly schema: JsonObject } } = {
  local_shell: {
    description: "Runs one command on the user's machine, given as a list: the program and its arguments.",
    schema: taking(
      {
        command: { type: "array", items: text },
        env: { type: "object", additionalProperties: text },
        working_directory: text,
        user: text,
        timeout_ms: count,
      },
      ["command"],
    ),
  },
  shell: {
    description: "Runs shell command lines on the user's machine, one after the other.",
    schema: taking({ commands: { type: "array", items: text }, timeout_ms: count, max_output_length: count }, [
      "commands",
    ]),
  },
  apply_patch: {
    description:
      "Creates, changes or deletes one file of the user's workspace. The diff is that of the path; to delete takes none.",
    schema: taking({ type: { enum: ["create_file", "update_file", "delete_file"] }, path: text, diff: text }, [
      "type",
      "path",
    ]),
  },
}

const inNamespace = (namespace: string, name: string): string => `${namespace}.${name}`

/** Every tool the client brought, those that came in the middle of the conversation as well. */
export const brought = (body: JsonObject): ReadonlyArray<JsonObject> => [
  ...objectsOf(body["tools"]),
  ...(Array.isArray(body["input"])
    ? objectsOf(body["input"]).flatMap((item) => (item["type"] === "additional_tools" ? objectsOf(item["tools"]) : []))
    : []),
]

const plainTool = (tool: JsonObject, namespace?: JsonObject): Tool | undefined => {
  const own = textOf(tool["name"]) ?? ""
  const name = namespace === undefined ? own : inNamespace(textOf(namespace["name"]) ?? "", own)
  const described = [textOf(namespace?.["description"]), textOf(tool["description"])].filter((one) => one !== undefined)
  const description = described.length === 0 ? undefined : described.join("\n\n")
  if (tool["type"] === "function")
    return { name, description, schema: objectOf(tool["parameters"]), strict: flagOf(tool["strict"]) }
  if (tool["type"] !== "custom") return undefined
  return { name, description, custom: { format: objectOf(tool["format"]) } }
}

/** A function that the client gave the name of something built in keeps it. */
const nameOf = (builtIn: BuiltIn, tools: ReadonlyArray<JsonObject>): string =>
  tools.some((tool) => tool["name"] === builtIn) ? `client_${builtIn}` : builtIn

export const isBuiltIn = (type: unknown): type is BuiltIn => builtIns.some((one) => one === type)

export const toolsOf = (all: ReadonlyArray<JsonObject>, notes: Notes): ReadonlyArray<Tool> =>
  all.flatMap((tool, i): ReadonlyArray<Tool> => {
    const { type } = tool
    const environment = textOf(at(tool, "environment", "type"))
    if (environment !== undefined && environment !== "local") notes.drop(`tools[${i}].environment (${environment})`)
    else if (objectsOf(at(tool, "environment", "skills")).length > 0) notes.drop(`tools[${i}].environment.skills`)
    if (isBuiltIn(type)) return [{ name: nameOf(type, all), ...offered[type] }]
    if (type === "namespace")
      return objectsOf(tool["tools"]).flatMap((one, j) => {
        const read = plainTool(one, tool)
        if (read === undefined)
          notes.drop(`tools[${i}].tools[${j}] (${textOf(one["type"]) ?? "a tool without a type"})`)
        return read ?? []
      })
    const plain = plainTool(tool)
    if (plain !== undefined) return [plain]
    notes.drop(`tools[${i}] (${textOf(type) ?? "a tool without a type"})`)
    return []
  })

/** The name under which the model knows what an item or a choice of the client speaks of. */
export const calledName = (item: JsonObject, all: ReadonlyArray<JsonObject>): string | undefined => {
  const type = textOf(item["type"])?.replace(/_call$/, "")
  if (isBuiltIn(type)) return nameOf(type, all)
  const name = textOf(item["name"])
  const namespace = textOf(item["namespace"])
  return name === undefined || namespace === undefined ? name : inNamespace(namespace, name)
}

/** What a call of something built in says, as the arguments of a function. */
export const builtInInput = (item: JsonObject): string => {
  if (item["type"] === "apply_patch_call") return JSON.stringify(objectOf(item["operation"]) ?? {})
  const { type: _, ...action } = objectOf(item["action"]) ?? {}
  return JSON.stringify(action)
}

/** What the client's shells and patches answered, in words. */
export const builtInOutput = (item: JsonObject): string => {
  const { output } = item
  if (typeof output === "string" && output !== "") return output
  const runs = objectsOf(output).map((run) => {
    const exit = at(run, "outcome", "exit_code")
    const end = exit === undefined ? (textOf(at(run, "outcome", "type")) ?? "") : `exit code ${String(exit)}`
    return [textOf(run["stdout"]), textOf(run["stderr"]), end]
      .filter((one) => one !== undefined && one !== "")
      .join("\n")
  })
  return runs.length > 0 ? runs.join("\n\n") : (textOf(item["status"]) ?? "")
}

/** How an item calls a tool: the fields that stand beside its ids and its status. */
export type Calling = (input: string) => JsonObject

const words = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : listOf(value).filter((one) => typeof one === "string")

const calling: { readonly [K in BuiltIn]: Calling } = {
  local_shell: (input) => {
    const said = objectOf(parseJson(input)) ?? {}
    return { action: { ...said, type: "exec", command: words(said["command"]), env: objectOf(said["env"]) ?? {} } }
  },
  shell: (input) => {
    const said = objectOf(parseJson(input)) ?? {}
    return { action: { timeout_ms: null, max_output_length: null, ...said, commands: words(said["commands"]) } }
  },
  apply_patch: (input) => ({ operation: objectOf(parseJson(input)) ?? {} }),
}

export interface BuiltInCall {
  readonly type: `${BuiltIn}_call`
  readonly calling: Calling
}

/** What stands behind the names that the model calls. */
export interface ClientTools {
  readonly builtIn: (name: string) => BuiltInCall | undefined
  /** The name as the client knows it, in its namespace. */
  readonly named: (name: string) => { readonly name: string; readonly namespace?: string }
}

const none: ClientTools = { builtIn: () => undefined, named: (name) => ({ name }) }

export const clientTools = (body: JsonObject): ClientTools => {
  const all = brought(body)
  if (all.every((tool) => tool["type"] === "function" || tool["type"] === "custom")) return none
  const known = new Map<string, BuiltInCall>()
  const spaces = new Map<string, { readonly name: string; readonly namespace: string }>()
  for (const tool of all) {
    const { type } = tool
    if (isBuiltIn(type)) known.set(nameOf(type, all), { type: `${type}_call`, calling: calling[type] })
    if (type !== "namespace") continue
    const namespace = textOf(tool["name"]) ?? ""
    for (const one of listOf(tool["tools"])) {
      const name = isObject(one) ? textOf(one["name"]) : undefined
      if (name !== undefined) spaces.set(inNamespace(namespace, name), { name, namespace })
    }
  }
  return { builtIn: (name) => known.get(name), named: (name) => spaces.get(name) ?? { name } }
}
