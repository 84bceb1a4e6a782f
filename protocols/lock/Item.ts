/** One definition of a server: what it is called, what it says, its hash and its cues. */
import { isObject, type JsonObject } from "../json/object.ts"
import { canonical } from "./canonical.ts"
import { cardCues, identityMembers, skillCues } from "./cardCues.ts"
import { Cues } from "./Cues.ts"
import { type Digest, itemHash, type Kind } from "./hash.ts"
import type { Names } from "./Names.ts"
import { schemaCues } from "./schemaCues.ts"
import { textCues } from "./textCues.ts"

export interface Item {
  readonly kind: Kind
  /** Empty for instructions and cards, of which a server has one. */
  readonly name: string
  /** As its server wrote it. */
  readonly text: string
  readonly canonicalText: string
  /** Names of members that occur twice. */
  readonly repeated: ReadonlyArray<string>
  readonly hash: string
}

/** The member that names a definition of each kind. */
export const nameMember: Readonly<Record<Kind, string | undefined>> = {
  instructions: undefined,
  tool: "name",
  prompt: "name",
  template: "uriTemplate",
  card: undefined,
  skill: "id",
}

/** Undefined: it is no definition of that kind. */
export const itemOf = (kind: Kind, text: string, digest: Digest): Item | undefined => {
  try {
    const { repeated, text: canonicalText } = canonical(text)
    const member = nameMember[kind]
    const value: unknown = JSON.parse(canonicalText)
    const name = member === undefined ? "" : isObject(value) ? value[member] : undefined
    if (typeof name !== "string") return undefined
    return { kind, name, text, canonicalText, repeated, hash: itemHash(kind, canonicalText, digest) }
  } catch {
    return undefined
  }
}

/** What a client assumes where a tool says nothing. */
const hints: Readonly<Record<string, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
}

/** Members that are looked at by rules of their own, or hold nothing but words. */
const special: Readonly<Record<Kind, ReadonlySet<string>>> = {
  instructions: new Set(),
  tool: new Set(["name", "title", "description", "inputSchema", "outputSchema", "annotations"]),
  prompt: new Set(["name", "title", "description", "arguments"]),
  template: new Set(["uriTemplate", "name", "title", "description"]),
  card: new Set(["name", "description", "documentationUrl", "iconUrl", "version", ...identityMembers]),
  skill: new Set(["id", "name", "description", "examples", "tags", "securityRequirements"]),
}

const everyText = (value: unknown, cues: Cues, names: Names): void => {
  if (typeof value === "string") textCues(value, names, cues)
  else if (Array.isArray(value)) for (const one of value) everyText(one, cues, names)
  else if (isObject(value)) {
    for (const [name, one] of Object.entries(value)) {
      textCues(name, names, cues)
      everyText(one, cues, names)
    }
  }
}

/** Whatever a member that nobody here knows says is news when it changes. */
const leaves = (value: unknown, path: string, cues: Cues): void => {
  if (Array.isArray(value)) for (const one of value) leaves(one, `${path}/*`, cues)
  else if (isObject(value)) for (const [name, one] of Object.entries(value)) leaves(one, `${path}/${name}`, cues)
  else cues.add("member", `${path} is ${JSON.stringify(value)}`)
}

const toolCues = (tool: JsonObject, cues: Cues): void => {
  const annotations = isObject(tool["annotations"]) ? tool["annotations"] : {}
  for (const [hint, assumed] of Object.entries(hints))
    cues.add("hint", `${hint} is ${String(annotations[hint] ?? assumed)}`)
  for (const [name, value] of Object.entries(annotations)) {
    if (name !== "title" && !Object.hasOwn(hints, name)) leaves(value, `annotations/${name}`, cues)
  }
  schemaCues(tool["inputSchema"], "input", cues)
  schemaCues(tool["outputSchema"], "output", cues)
}

const promptCues = (prompt: JsonObject, cues: Cues): void => {
  const given = Array.isArray(prompt["arguments"]) ? prompt["arguments"] : []
  for (const one of given) {
    if (!isObject(one)) continue
    cues.add("schema", `the argument ${String(one["name"])} may be given`)
    if (one["required"] === true) cues.add("schema", `the argument ${String(one["name"])} is required`)
  }
}

/** Everything in a definition that is worth a look, wherever it stands. */
export const cuesOf = ({ canonicalText, kind, repeated }: Item, names: Names): Cues => {
  const cues = new Cues()
  const value: unknown = JSON.parse(canonicalText)
  for (const one of repeated) cues.add("repeated", one)
  everyText(value, cues, names)
  if (!isObject(value)) return cues
  if (kind === "tool") toolCues(value, cues)
  if (kind === "prompt") promptCues(value, cues)
  if (kind === "card") cardCues(value, cues)
  if (kind === "skill") skillCues(value, cues)
  for (const [member, inner] of Object.entries(value)) {
    if (!special[kind].has(member)) leaves(inner, member, cues)
  }
  return cues
}
