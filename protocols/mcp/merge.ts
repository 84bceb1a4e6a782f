/** What many servers say of themselves, as one. */
import { Fields, type Json } from "./json.ts"

const merged = (one: Json, other: Json): Json => {
  if (one === other) return one
  const [a, b] = [Fields.parse(one), Fields.parse(other)]
  if (a === undefined || b === undefined) return one
  let both = a
  // What only one of them says holds where that one is meant; what they disagree about is left out.
  for (const name of b.names) {
    const [mine, theirs] = [both.get(name), b.get(name) as Json]
    both = both.with(name, mine === undefined ? theirs : mine === theirs ? mine : mergedSetting(mine, theirs))
  }
  return both.toJson()
}

const mergedSetting = (one: Json, other: Json): Json | undefined => {
  if (one.startsWith("[") && other.startsWith("[")) {
    const values = new Set([
      ...(JSON.parse(one) as ReadonlyArray<unknown>),
      ...(JSON.parse(other) as ReadonlyArray<unknown>),
    ])
    return JSON.stringify([...values])
  }
  return one.startsWith("{") && other.startsWith("{") ? merged(one, other) : undefined
}

const listing = ["tools", "prompts", "resources"] as const

/** The capabilities of all of them together. Changes of lists are always told, since the gateway can see them itself. */
export const mergeCapabilities = (all: ReadonlyArray<Json>): Json => {
  const servers = all.map((one) => Fields.parse(one) ?? Fields.empty)
  const some = (test: (server: Fields) => boolean): boolean => servers.some(test)
  let together = Fields.empty
  for (const kind of listing) {
    if (!some((server) => server.has(kind))) continue
    const subscribe = kind === "resources" && some((server) => server.object(kind)?.get("subscribe") === "true")
    together = together.with(kind, subscribe ? '{"subscribe":true,"listChanged":true}' : '{"listChanged":true}')
  }
  for (const kind of ["logging", "completions"])
    if (some((server) => server.has(kind))) together = together.with(kind, "{}")
  for (const kind of ["extensions", "experimental"]) {
    const said = servers.map((server) => server.get(kind)).filter((one) => one !== undefined)
    const [first, ...rest] = said
    if (first !== undefined) together = together.with(kind, rest.reduce(merged, first))
  }
  return together.toJson()
}

const INSTRUCTIONS_CHARS_MAX = 32_768

/** Each server's words under its name, in the order of the configuration. */
export const mergeInstructions = (
  all: ReadonlyArray<{ readonly target: string; readonly instructions: string | undefined }>,
): string | undefined => {
  const sections = all
    .filter(({ instructions }) => instructions !== undefined && instructions !== "")
    .map(({ instructions, target }) => `[${target}]\n${instructions}`)
  return sections.length === 0 ? undefined : sections.join("\n\n").slice(0, INSTRUCTIONS_CHARS_MAX)
}
