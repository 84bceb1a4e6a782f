/** Cedar as its makers compile it for WebAssembly: loaded when the first policy needs it. */
import { hash } from "node:crypto"
import { createRequire } from "node:module"
import type { AuthorizationAnswer, StatefulAuthorizationCall } from "@cedar-policy/cedar-wasm/nodejs"
import type { Cedar, CedarRequest, CedarSet, EntityId, Judgement } from "../../stages/ports/Cedar.ts"

type Engine = typeof import("@cedar-policy/cedar-wasm/nodejs")

let loaded: Engine | undefined
export const engine = (): Engine =>
  (loaded ??= createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as Engine)

/** The engine forgets nothing it has read, so it is given few names, and these again and again. */
const SLOTS = 64

const held = new Map<string, string>()

/** The policies of a text, each under a name of ours. */
const partsOf = (policies: string): Readonly<Record<string, string>> => {
  const parts = engine().policySetTextToParts(policies)
  if (parts.type === "failure") throw new Error(parts.errors.map(({ message }) => message).join("; "))
  return Object.fromEntries(parts.policies.map((text, i) => [`policy${i}`, text]))
}

const forbidding = (parts: Readonly<Record<string, string>>): ReadonlySet<string> =>
  new Set(
    Object.entries(parts).flatMap(([name, text]) => {
      const json = engine().policyToJson(text)
      return json.type === "success" && json.json.effect === "permit" ? [] : [name]
    }),
  )

/** The name under which the engine has these policies now. */
const slotOf = (key: string, parts: Readonly<Record<string, string>>): string => {
  const known = held.get(key)
  if (known !== undefined) {
    held.delete(key)
    held.set(key, known)
    return known
  }
  let slot = `s${held.size}`
  if (held.size >= SLOTS) {
    for (const [oldest, its] of held) {
      held.delete(oldest)
      slot = its
      break
    }
  }
  const answer = engine().preparsePolicySet(slot, { staticPolicies: parts })
  if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "))
  held.set(key, slot)
  return slot
}

const nameOf = ({ id, type }: EntityId): string => `${type}::${JSON.stringify(id)}`

const uidOf = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const inner: unknown = Reflect.get(value, "__entity") ?? value
  const { id, type } = inner as Partial<EntityId>
  return typeof id === "string" && typeof type === "string" ? nameOf({ id, type }) : undefined
}

/** The entities that a value names, at whatever depth. */
function* namedIn(value: unknown): Iterable<string> {
  if (typeof value !== "object" || value === null) return
  if (Array.isArray(value)) for (const one of value) yield* namedIn(one)
  else if (Object.hasOwn(value, "__entity")) {
    const uid = uidOf(value)
    if (uid !== undefined) yield uid
  } else for (const one of Object.values(value)) yield* namedIn(one)
}

interface Known {
  readonly entity: unknown
  readonly leadsTo: ReadonlyArray<string>
}

const knownOf = (entity: unknown): readonly [string, Known] => {
  const { attrs, parents, uid } = entity as {
    readonly attrs?: unknown
    readonly parents?: unknown
    readonly uid?: unknown
  }
  const above = Array.isArray(parents) ? parents.map(uidOf).filter((one) => one !== undefined) : []
  return [uidOf(uid) ?? "", { entity, leadsTo: [...above, ...namedIn(attrs)] }]
}

/** Everything that can be reached from there: telling the engine of all entities costs it ten microseconds for each. */
const reachable = (all: ReadonlyMap<string, Known>, from: Iterable<string>): ReadonlyArray<unknown> => {
  const seen = new Set<string>()
  const found: Array<unknown> = []
  const waiting = [...from]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const known = all.get(name)
    if (known === undefined) continue
    found.push(known.entity)
    waiting.push(...known.leadsTo)
  }
  return found
}

/** The engine throws at what it cannot read at all, such as values nested deeper than it goes. */
const asked = (call: StatefulAuthorizationCall): AuthorizationAnswer | string => {
  try {
    return engine().statefulIsAuthorized(call)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const literal = /(?:[A-Za-z_]\w*::)+"(?:[^"\\]|\\.)*"/g

const makeSet = (policies: string, configured: ReadonlyArray<unknown>): CedarSet => {
  const key = hash("sha256", policies)
  let read: { readonly parts: Readonly<Record<string, string>>; readonly forbids: ReadonlySet<string> } | undefined
  const all = new Map(configured.map(knownOf))
  // Those that a policy names may be looked into, whoever asks.
  const always = all.size === 0 ? [] : Array.from(policies.matchAll(literal), ([name]) => name)
  return {
    judge: (request: CedarRequest): Judgement | string => {
      if (read === undefined) {
        const parts = partsOf(policies)
        read = { parts, forbids: forbidding(parts) }
      }
      const { forbids, parts } = read
      // What is configured of an entity stands; a request must not be able to change it.
      const own = request.entities.filter(({ uid }) => !all.has(nameOf(uid)))
      const entities =
        all.size === 0
          ? own
          : [
              ...own,
              ...reachable(all, [
                ...always,
                nameOf(request.principal),
                nameOf(request.action),
                nameOf(request.resource),
                ...own.flatMap(({ parents }) => parents.map(nameOf)),
              ]),
            ]
      const answer = asked({
        principal: request.principal,
        action: request.action,
        resource: request.resource,
        context: request.context as never,
        preparsedPolicySetId: slotOf(key, parts),
        entities: entities as never,
      })
      if (typeof answer === "string") return answer
      if (answer.type === "failure") return answer.errors.map(({ message }) => message).join("; ")
      const { decision, diagnostics } = answer.response
      return {
        isAllowed: decision === "allow",
        failed: diagnostics.errors.map(({ error, policyId }) => ({
          policy: policyId,
          isForbidding: forbids.has(policyId),
          why: error.message,
        })),
      }
    },
  }
}

export const cedar: Cedar = { set: makeSet }
