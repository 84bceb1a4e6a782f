/** The card of an agent as its clients see it: it leads to the gateway, and is signed by it. */
import * as Effect from "effect/Effect"
import { result } from "../../../../protocols/a2a/Answer.ts"
import { toLegacyCard } from "../../../../protocols/a2a/card/legacy.ts"
import { hybrid, type Offer, offered } from "../../../../protocols/a2a/card/offer.ts"
import { keysPath } from "../../../../protocols/a2a/detect.ts"
import { type Fields, fieldsOf, isFields } from "../../../../protocols/a2a/Fields.ts"
import { readVersion, versionHeader } from "../../../../protocols/a2a/version.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Try } from "../../Target.ts"
import { relocationOf } from "../outside.ts"
import { conditional } from "../validators.ts"
import type { BridgePorts } from "./BridgePorts.ts"
import type { Heard, Turn } from "./Turn.ts"

/** The card at its well-known place; `base` is what stands before it in the path. */
export const serveCard = (ports: BridgePorts, attempt: Try, base: string): Effect.Effect<Reply, Refusal> => {
  const { exchange, request } = attempt
  const asked = readVersion(request.headers.get(versionHeader))
  const outside = (exchange.original ?? exchange.request).path
  const suffix = request.path.slice(base.length)
  const outer = outside.endsWith(suffix) ? outside.slice(0, -suffix.length) : base
  const offer = offerFor(ports, attempt, outer)
  const card = Effect.flatMap(ports.agent.card(exchange.deadlineMillis, attempt), (known) =>
    signed(ports, offered(ports.guard?.guardsReplies === true ? withoutNotices(known) : known, offer), offer),
  )
  return Effect.map(card, (made) => {
    const shown =
      asked._tag === "Unsaid"
        ? hybrid(made)
        : asked._tag === "Known" && asked.version === "0.3"
          ? toLegacyCard(made)
          : made
    return conditional(request, {
      status: 200,
      headers: new Headers(["content-type", "application/json", "cache-control", "max-age=60", "vary", versionHeader]),
      body: Body.text(JSON.stringify(shown)),
      origin: "gateway",
    })
  })
}

/** A card that comes as an answer leads to the gateway as well. */
export const withCard = (ports: BridgePorts, turn: Turn, heard: Heard): Effect.Effect<Heard, Refusal> => {
  const { answer } = heard
  if (turn.call.operation !== "GetExtendedAgentCard" || answer._tag === "Fault" || !isFields(answer.result)) {
    return Effect.succeed(heard)
  }
  const offer = offerFor(ports, turn.attempt, outsideBase(turn))
  const said = answer.result
  const believed: Effect.Effect<Fields, Refusal> =
    ports.lock?.extended?.judge(said, said["signatures"]) ?? Effect.succeed(said)
  return Effect.map(
    Effect.flatMap(believed, (card) => signed(ports, offered(card, offer), offer)),
    (card) => ({ ...heard, answer: result(card) }),
  )
}

const offerFor = ({ offers }: BridgePorts, { exchange, request }: Try, base: string): Offer => {
  const { authority, scheme } = relocationOf(exchange, request.path)
  const prefix = exchange.match.path
  // gRPC calls come by paths of their own, so only an agent at the root of a host can be called that way.
  const isRoot = base === "" && prefix._tag === "Prefix" && prefix.path === "/"
  return {
    scheme,
    authority,
    base,
    bindings: offers ?? (isRoot ? ["JSONRPC", "HTTP+JSON", "GRPC"] : ["JSONRPC", "HTTP+JSON"]),
    versions: ["1.0", "0.3"],
  }
}

/** Where the agent is for the client, by a request that is no request for its card. */
const outsideBase = ({ attempt, seen }: Turn): string => {
  const { path } = attempt.exchange.original ?? attempt.exchange.request
  if (seen._tag === "Grpc") return ""
  const own = seen._tag === "Rest" ? attempt.request.path.slice(seen.resource.base.length) : ""
  const base = own !== "" && path.endsWith(own) ? path.slice(0, -own.length) : path
  return base.endsWith("/") ? base.slice(0, -1) : base
}

const signed = ({ seal }: BridgePorts, card: Fields, offer: Offer): Effect.Effect<Fields, Refusal> =>
  seal === undefined
    ? Effect.succeed(card)
    : seal.sign(card, `${offer.scheme}://${offer.authority}${offer.base}${keysPath}`)

const withoutNotices = (card: Fields): Fields => ({
  ...card,
  capabilities: { ...fieldsOf(card["capabilities"]), pushNotifications: false },
})
