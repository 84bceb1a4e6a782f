/** Whose a name or an address is: by what was listed, by its prefix, and at last by listing again. */
import * as Effect from "effect/Effect"
import { Fields } from "../../../../protocols/mcp/json.ts"
import { NAME_CHARS_MAX, split, splitUri } from "../../../../protocols/mcp/naming.ts"
import { contextOf } from "../callers.ts"
import type { Caller } from "../target/McpTarget.ts"
import type { Kind } from "./Access.ts"
import type { Lists } from "./Lists.ts"
import type { Member } from "./Member.ts"
import type { Names } from "./Names.ts"

/** A thing by the name its target knows it by. */
export interface Owned {
  readonly member: Member
  readonly name: string
}

const listOf: Readonly<Record<string, string>> = { tool: "tools/list", prompt: "prompts/list" }

const registriesMax = 1_024

export class Directory {
  private readonly names: Names
  private readonly lists: Lists
  /** Names that say nothing of whose they are, for each kind of caller. */
  private readonly registries = new Map<string, Map<string, Owned>>()

  constructor(names: Names, lists: Lists) {
    this.names = names
    this.lists = lists
  }

  registry(kind: Kind, caller: Caller): Map<string, Owned> {
    const key = `${kind} ${contextOf(caller)}`
    let registry = this.registries.get(key)
    if (registry === undefined) {
      if (this.registries.size >= registriesMax) this.registries.clear()
      this.registries.set(key, (registry = new Map()))
    }
    return registry
  }

  /** The owner of a name, where that is known without asking anybody. */
  knownOwner(kind: Kind, name: string, caller: Caller): Owned | undefined {
    const { hasPrefixes, only } = this.names
    if (only !== undefined) return { member: only, name }
    const known = this.registry(kind, caller).get(name)
    // A name that may have been cut leads back by way of a list only.
    if (known !== undefined || !hasPrefixes || name.length >= NAME_CHARS_MAX) return known
    return this.split(name)
  }

  private split(name: string): Owned | undefined {
    const { byName } = this.names
    const parts = split(name)
    const member = parts === undefined ? undefined : byName.get(parts.target)
    return parts === undefined || member === undefined ? undefined : { member, name: parts.name }
  }

  owner(kind: Kind, name: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const known = this.knownOwner(kind, name, caller)
    // With prefixes, a name without one is nobody's.
    if (known !== undefined || (this.names.hasPrefixes && split(name) === undefined)) return Effect.succeed(known)
    const method = listOf[kind] as string
    return Effect.map(this.lists.everything(method, caller), (found) => {
      this.lists.rename(kind, caller, found, method, this.registry(kind, caller))
      return this.registry(kind, caller).get(name) ?? (this.names.hasPrefixes ? this.split(name) : undefined)
    })
  }

  /** One that was left as it is belongs to whoever lists it, or has a template for it. */
  ownerOf(uri: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const owned = this.byPrefix(uri)
    if (owned !== undefined) return Effect.succeed(owned)
    return Effect.flatMap(
      this.listed("resources/list", "uri", uri, caller, (one) => one === uri),
      (found) =>
        found === undefined
          ? this.listed("resources/templates/list", "uriTemplate", uri, caller, (one) => mayMatch(one, uri))
          : Effect.succeed(found),
    )
  }

  templateOwner(template: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const owned = this.byPrefix(template)
    return owned === undefined
      ? this.listed("resources/templates/list", "uriTemplate", template, caller, (one) => one === template)
      : Effect.succeed(owned)
  }

  private byPrefix(uri: string): Owned | undefined {
    const { byName, only } = this.names
    if (only !== undefined) return { member: only, name: uri }
    const parts = splitUri(uri)
    const member = parts === undefined ? undefined : byName.get(parts.target)
    return parts === undefined || member === undefined ? undefined : { member, name: parts.uri }
  }

  private listed(
    method: string,
    field: string,
    name: string,
    caller: Caller,
    matches: (text: string) => boolean,
  ): Effect.Effect<Owned | undefined> {
    return Effect.map(this.lists.everything(method, caller), (found) => {
      for (const { listed, member } of found) {
        if (listed._tag === "Missing") continue
        const isHere = listed.listing.items.some((item) => {
          const text = Fields.parse(item)?.string(field)
          return text !== undefined && matches(text)
        })
        if (isHere) return { member, name }
      }
      return undefined
    })
  }
}

/** Whether a template may stand for an address: its fixed parts occur in that order. */
export const mayMatch = (template: string, uri: string): boolean => {
  let at = 0
  const parts = template.split(/\{[^}]*\}/)
  for (const [i, part] of parts.entries()) {
    const found = i === 0 ? (uri.startsWith(part) ? 0 : -1) : uri.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return parts.at(-1) === "" || uri.endsWith(parts.at(-1) as string)
}
