/**
 * Refusals of requests that were meant for a model, in the words of the format that the client speaks. Policies refuse
 * before anything is dispatched, some of them before a route is chosen, so that is found out here, once it is needed.
 */
import type { ListenerKey } from "../../../ir/Key.ts"
import type { Route } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import type { Exchange, Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import { clientFormats, kindsBy, usualRoutes } from "./kinds.ts"
import { listingPath, wantsNative } from "./listing.ts"
import { errorReply, ofRefusal } from "./told.ts"

const usualKind = kindsBy(usualRoutes, "passthrough")

/** Whether a route leads to models, and to nothing else. */
const leadsToModels = ({ backends }: Route, snapshot: Snapshot): boolean =>
  backends.length > 0 &&
  backends.every(({ backend }) => {
    if (backend._tag !== "Backend") return false
    const found = snapshot.backends.get(backend.backend)?._tag
    return found === "Llm" || found === "Models"
  })

const known = new WeakMap<Snapshot, ReadonlySet<ListenerKey>>()

/** The listeners behind which there are models. */
const listenersWithModels = (snapshot: Snapshot): ReadonlySet<ListenerKey> => {
  const before = known.get(snapshot)
  if (before !== undefined) return before
  const found = new Set<ListenerKey>()
  for (const route of snapshot.routes.values()) {
    if (route.parent._tag === "Listener" && leadsToModels(route, snapshot)) found.add(route.parent.listener)
  }
  known.set(snapshot, found)
  return found
}

/** Undefined: nobody can say that a model was meant. */
const formatOf = ({ listener, plan, request, route }: Exchange): Format | undefined => {
  const { snapshot } = plan
  if (route !== undefined) {
    if (!leadsToModels(route.ir, snapshot)) return undefined
    const ai = route.ir.policies.find((policy) => policy._tag === "Ai")
    const kindOf = ai?._tag === "Ai" && ai.routes !== undefined ? kindsBy(ai.routes, "completions") : usualKind
    return clientFormats[kindOf(request.path)] ?? usual(request)
  }
  if (listener === undefined || !listenersWithModels(snapshot).has(listener.ir.key)) return undefined
  // Something else may stand behind the same listener: only the paths of models are theirs.
  return (
    clientFormats[usualKind(request.path)] ?? (listingPath(request.path) === undefined ? undefined : usual(request))
  )
}

/** Where the path does not say it, the headers of an SDK may. */
const usual = (request: Exchange["request"]): Format =>
  wantsNative(request) ? "gemini" : request.headers.has("anthropic-version") ? "anthropicMessages" : "openaiChat"

/** Undefined: it is told as any other refusal. */
export const inWordsOfModels = (exchange: Exchange, refusal: Refusal): Reply | undefined => {
  if (exchange.request.upgrade !== undefined || refusal._tag === "McpUnauthorized" || refusal._tag === "McpScope") {
    return undefined
  }
  const format = formatOf(exchange)
  return format === undefined
    ? undefined
    : errorReply(format, ofRefusal(refusal), "headers" in refusal ? refusal.headers : [])
}
