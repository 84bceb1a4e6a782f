/** Questions to an agent, in the one way the gateway's own bridge speaks to everybody; what the agent speaks is its business. */
import * as Effect from "effect/Effect"
import { type Answer, failed } from "../../../../../protocols/a2a/Answer.ts"
import * as jsonRpc from "../../../../../protocols/a2a/binding/jsonRpc.ts"
import { fault, fromRest } from "../../../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, parse } from "../../../../../protocols/a2a/Fields.ts"
import type { Call } from "../../../../../protocols/a2a/operation.ts"
import { versionHeader } from "../../../../../protocols/a2a/version.ts"
import { Headers } from "../../../../../protocols/http/headers.ts"
import type { Callee } from "../../../../../ir/policy/Callee.ts"
import * as Body from "../../../../Body.ts"
import { type Exchange, type Reply, Request } from "../../../../Exchange.ts"
import type { Clock } from "../../../../ports/Timer.ts"
import { type Broken, broken } from "../Channel.ts"
import { brokenOf, passedOn, unwanted } from "../outgoing.ts"
import { contentOf, readEvents, textOf } from "../reading.ts"

export interface Place {
  readonly callee: Callee
  /** In front of the protocol's own paths, without a slash at its end. */
  readonly base: string
  readonly clock: Clock
}

const version = "1.0"

const request = (exchange: Exchange, path: string, fields: ReadonlyArray<string>, body: unknown): Request =>
  new Request(
    body === undefined ? "GET" : "POST",
    "http",
    "",
    "",
    path,
    undefined,
    "1.1",
    new Headers([
      ...withoutWords(passedOn(exchange)),
      ...fields,
      versionHeader,
      version,
      "accept-encoding",
      "identity",
    ]),
    body === undefined ? Body.empty : Body.text(JSON.stringify(body)),
    undefined,
  )

/** What a client of MCP says to agents with the words of another protocol is not meant for them. */
const withoutWords = (flat: ReadonlyArray<string>): Array<string> =>
  flat.filter((_, i, all) => !/^(?:x-)?a2a-/.test(all[i - (i % 2)] as string))

/** The card of the agent, as 1.0 has it. */
export const cardOf = (place: Place, exchange: Exchange, timeoutMillis: number): Effect.Effect<Fields, Broken> => {
  const { base, callee, clock } = place
  const asked = request(exchange, `${base}/.well-known/agent-card.json`, ["accept", "application/json"], undefined)
  return Effect.flatMap(
    Effect.mapError(exchange.plan.callees.to(callee, "A2a")(exchange, asked, timeoutMillis), brokenOf),
    (reply) =>
      reply.status === 200
        ? Effect.flatMap(textOf(reply), (text) => {
            const card = fieldsOf(parse(text)?.value)
            return typeof card["name"] === "string" ? Effect.succeed(card) : Effect.fail(noCard)
          })
        : Effect.fail(unwanted(reply, clock)),
  )
}

const noCard = broken("what it shows is no agent card", false)

export interface Asking {
  readonly place: Place
  readonly exchange: Exchange
  readonly timeoutMillis: number
  readonly idleMillis: number
  /** Takes the answer, or one event after the other; true: nothing more is needed. */
  readonly take: (answer: Answer, chars: number) => boolean
}

const jsonAnswer = (call: Call, { status }: Reply, text: string): Answer => {
  const value = fieldsOf(parse(text)?.value)
  if (value["jsonrpc"] === "2.0") return jsonRpc.readAnswer(call.operation, text, version)
  return status >= 400 ? failed(fromRest(status, value)) : failed(fault("InvalidAgentResponse"))
}

/** What HTTP says of whoever asked; everything else is the agent's answer. */
const ofHttp: ReadonlySet<number> = new Set([401, 403, 429, 502, 503, 504])

export const ask = (
  call: Call,
  { exchange, idleMillis, place, take, timeoutMillis }: Asking,
): Effect.Effect<void, Broken> => {
  const { base, callee, clock } = place
  const fields = ["content-type", "application/json", "accept", "application/json, text/event-stream"]
  const body = jsonRpc.writeCall(call, version, 1)
  const asked = request(exchange, base === "" ? "/" : base, fields, body)
  return Effect.flatMap(
    Effect.mapError(exchange.plan.callees.to(callee, "A2a")(exchange, asked, timeoutMillis), brokenOf),
    (reply): Effect.Effect<void, Broken> => {
      if (ofHttp.has(reply.status)) return Effect.fail(unwanted(reply, clock))
      switch (contentOf(reply)) {
        case "events":
          return Effect.asVoid(
            readEvents(reply, {
              clock,
              idleMillis,
              event: ({ data }) => data !== "" && take(jsonRpc.readAnswer(call.operation, data, version), data.length),
            }),
          )
        case "json":
          return Effect.map(textOf(reply), (text) => void take(jsonAnswer(call, reply, text), text.length))
        case "other":
          return Effect.fail(unwanted(reply, clock))
      }
    },
  )
}
