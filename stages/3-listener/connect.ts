/**
 * A bind that is a forward proxy: CONNECT leads into another bind of this gateway, which serves what comes through the
 * tunnel as it would serve any connection.
 */
import * as Effect from "effect/Effect"
import type { BindKey } from "../../ir/Key.ts"
import { parseAuthority, unbracket } from "../../protocols/http/authority.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { parseIp } from "../../protocols/net/ip.ts"
import { empty } from "../Body.ts"
import type { Accepted } from "../Connection.ts"
import type { Exchange, Reply } from "../Exchange.ts"
import type { Plan } from "../Plan.ts"
import type { Socket } from "../ports/Network.ts"
import type { Refusal } from "../Refusal.ts"

/** Serves the client's side of a tunnel as a new connection of a bind. */
export type Enter = (bind: BindKey, client: Socket, through: Through) => Effect.Effect<void>

/** What is known of a connection that came through a tunnel. */
export type Through = Required<Pick<Accepted, "peer" | "local" | "rawPeer" | "connectHeaders">>

const bindNotFound = Effect.fail<Refusal>({ _tag: "BindNotFound" })
const methodNotAllowed = Effect.fail<Refusal>({ _tag: "MethodNotAllowed" })
const noPort = Effect.fail<Refusal>({ _tag: "InvalidRequest", detail: "CONNECT needs a port" })

const unspecified = (host: string | undefined): boolean => host === undefined || host === "0.0.0.0" || host === "::"

/**
 * The bind a tunnel leads to: the one of that port — for an address only one that listens on every address — or else
 * the internal one that takes any port.
 */
export const bindFor = (plan: Plan, host: string, port: number): BindKey | undefined => {
  const isAddress = parseIp(unbracket(host)) !== undefined
  let wildcard: BindKey | undefined
  for (const [key, { ir }] of plan.binds) {
    const { address } = ir
    if (address._tag === "Ip" && address.port === port && (!isAddress || unspecified(address.host))) return key
    if (address._tag !== "Internal") continue
    if (address.port === port) return key
    if (address.port === undefined || address.port === 0) wildcard = key
  }
  return wildcard
}

/** Answers CONNECT with a tunnel into a bind, and anything else with a refusal. */
export const tunnel = (exchange: Exchange, enter: Enter): Effect.Effect<Reply, Refusal> => {
  const { bound, plan, request } = exchange
  const { accepted } = bound.secured
  // One tunnel leads nowhere but to a bind; tunnels in tunnels could be piled up without end.
  if (request.method !== "CONNECT" || accepted.connectHeaders !== undefined) return methodNotAllowed
  const authority = parseAuthority(request.authority)
  if (authority?.port === undefined) return noPort
  const { host, port } = authority
  const key = bindFor(plan, host, port)
  if (key === undefined || key === accepted.bind) return bindNotFound
  const through: Through = {
    peer: accepted.peer,
    local: { host: unbracket(host), port },
    rawPeer: accepted.rawPeer,
    connectHeaders: request.headers,
  }
  return Effect.succeed<Reply>({
    status: 200,
    headers: new Headers([]),
    body: empty,
    origin: "gateway",
    tunnel: {
      handOver: (client) =>
        Effect.as(enter(key, client, through), { sentBytes: 0, receivedBytes: 0, error: undefined }),
    },
  })
}
