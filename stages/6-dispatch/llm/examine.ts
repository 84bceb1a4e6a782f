/** Asks a provider for its list of models, or for something that costs nothing where it has none for such a credential. */
import * as Effect from "effect/Effect"
import type { Vendor } from "../../../ir/backend/Llm.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import { Request, type Reply, type Routed } from "../../Exchange.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import { message } from "../../Refusal.ts"
import { type Examination, type Found, unwell, well } from "../Examination.ts"
import { shadowOf } from "../shadow.ts"
import { templateOf } from "../template.ts"
import type { DispatchPorts } from "../ports.ts"
import type { Where } from "../resolve.ts"
import { Try } from "../Target.ts"
import type { Part } from "./Part.ts"
import { compile } from "./Provider.ts"
import type { VendorTraits } from "./vendor/VendorCall.ts"

const EXAMINED_MILLIS = 5_000
/** Lists of models are long with some; what is longer is not counted. */
const LIST_BYTES_MAX = 4 * 1024 * 1024

/** Where a vendor tells its models; undefined: nowhere that a credential for calls would do. */
const listPath = ({ _tag }: Vendor, traits: VendorTraits, prefix: string | undefined): string | undefined => {
  switch (_tag) {
    case "Gemini":
      return `${prefix ?? ""}/v1beta/models`
    case "Copilot":
      return `${prefix ?? ""}/models`
    case "Azure":
      return `${prefix ?? ""}/openai/v1/models`
    case "Bedrock":
    case "Vertex":
      return undefined
    default:
      return traits.opaquePath("/v1/models", prefix)
  }
}

const requestOf = ({ provider }: Part, traits: VendorTraits): Request => {
  const { pathPrefix: prefix, vendor } = provider
  const list = listPath(vendor, traits, prefix)
  const [format = "openaiChat"] = traits.formats("")
  const call = { format, model: "none", streaming: false, prefix } as const
  const path = list ?? traits.path(call)
  const headers = new Headers(["accept", "application/json", "user-agent", "sluice-probe"])
  traits.head?.(headers, call)
  const [bare = "/", query] = path.split("?", 2)
  if (list !== undefined) {
    return new Request("GET", "http", "", "", bare, query, "1.1", headers, Body.empty, undefined)
  }
  headers.set("content-type", "application/json")
  return new Request("POST", "http", "", "", bare, query, "1.1", headers, Body.text("{}"), undefined)
}

const counted = (text: string): string => {
  try {
    const value: unknown = JSON.parse(text)
    const { data, models } = value as { readonly data?: unknown; readonly models?: unknown }
    const list = Array.isArray(value) ? value : Array.isArray(data) ? data : Array.isArray(models) ? models : undefined
    return list === undefined ? "answers, but not with a list of models" : `lists ${list.length} models`
  } catch {
    return "answers, but not in JSON"
  }
}

const utf8 = new TextDecoder()

const judged = (isList: boolean, reply: Reply): Effect.Effect<Found> => {
  const { body, status } = reply
  const ended = (found: Found): Effect.Effect<Found> => {
    Body.discard(body)
    return Effect.succeed(found)
  }
  if (status === 401 || status === 403) return ended(unwell(`it does not take the credential (${status})`))
  if (status >= 500 || status === 429) return ended(unwell(`it answers ${status}`))
  if (!isList) return ended(well(`understands what it is asked (${status})`))
  if (status !== 200) return ended(well(`answers, but lists no models (${status})`))
  return Effect.match(Body.collect(body, LIST_BYTES_MAX), {
    onFailure: ({ message: why }): Found => unwell(why),
    onSuccess: (collected): Found => {
      if (collected._tag === "Whole") return well(counted(utf8.decode(collected.bytes)))
      Body.discard(collected.body)
      return well("lists more models than anybody counts")
    },
  })
}

/** `id`: the backend's. */
export const examinations = (
  dispatch: DispatchPorts,
  ports: PolicyPorts,
  where: Extract<Where, { readonly _tag: "Llm" }>,
): ReadonlyArray<Examination> =>
  where.parts.map((part): Examination => {
    const ask: Examination["ask"] = (exchange) => {
      if (part.provider.vendor._tag === "Echo") return Effect.succeed(well("is built in"))
      const template = templateOf(dispatch, { ...part, where })
      if (typeof template === "string") return Effect.succeed(unwell(template))
      const family = dispatch.endpoints.family(template)
      const provider = compile(dispatch, ports, part, {}, (target) => family.to(target), {
        over: () => {},
        answered: () => {},
      })
      const request = requestOf(part, provider.traits)
      const now = dispatch.clock.nowMillis()
      const own: Routed = shadowOf(exchange, request, now, now + EXAMINED_MILLIS, "Policy")
      own.subtype = "Llm"
      return Effect.matchEffect(provider.pass(new Try(own, request)), {
        onFailure: (refusal) => Effect.succeed(unwell(message(refusal))),
        onSuccess: (reply) => judged(request.method === "GET", reply),
      })
    }
    return { target: `${where.backend.key} ${part.provider.name}`, kind: "llm", ask }
  })
