/** One agent as its backend sees it: what it speaks, where, and what its card says. */
import * as Effect from "effect/Effect"
import type { A2a } from "../../../ir/policy/A2a.ts"
import { fromLegacyCard } from "../../../protocols/a2a/card/legacy.ts"
import { cardPaths } from "../../../protocols/a2a/detect.ts"
import { type Fields, fieldsOf, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Binding, canSay, type Dialed, type Operation } from "../../../protocols/a2a/operation.ts"
import { cardVersion } from "../../../protocols/a2a/version.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import { defaultPort, portOf } from "../../../protocols/http/authority.ts"
import type { RemoteDocument } from "../../5-policy/RemoteDocument.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Attempting } from "../Target.ts"
import type { Place } from "./ears.ts"
import type { CardLock } from "./lock/CardLock.ts"
import { circling } from "./fetchCard.ts"
import type { Seal } from "./Seal.ts"

export type Bridge = NonNullable<A2a["bridge"]>

/** One interface of an agent, and how it is reached. */
export interface Line {
  readonly dialed: Dialed
  readonly place: Place
  readonly reach: Attempting
}

/** Where a backend is, as far as other ports of the same host may be meant. */
export interface Home {
  readonly host: string
  readonly port: number
}

export interface Surroundings {
  /** To the backend itself, or to another place by the same policies. */
  readonly reach: (elsewhere: Home | undefined, binding: Binding) => Attempting
  /** Undefined where the backend has several hosts, or none of its own. */
  readonly home: Home | undefined
  /** The agent's card; undefined where nobody can be asked for it. */
  readonly document: RemoteDocument<Fields> | undefined
  /** Told by which way the card is asked for, before it is. */
  readonly cameBy?: (headers: Headers) => void
  readonly seal: Seal | undefined
  readonly lock?: CardLock | undefined
}

const bindings: ReadonlySet<string> = new Set<Binding>(["JSONRPC", "HTTP+JSON", "GRPC"])

interface Address {
  readonly host: string
  readonly port: number
  readonly path: string
}

const addressOf = (text: string): Address | undefined => {
  const url = URL.parse(text)
  if (url !== null && url.host !== "") {
    const port = url.port === "" ? defaultPort(url.protocol.slice(0, -1)) : Number(url.port)
    return port === undefined ? undefined : { host: url.hostname, port, path: url.pathname }
  }
  const port = portOf(text)
  return port === undefined ? undefined : { host: text.slice(0, text.lastIndexOf(":")), port, path: "" }
}

const loopback: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]", "::1"])

const sameHost = (a: string, b: string): boolean => a === b || (loopback.has(a) && loopback.has(b))

const trimmed = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path)

/**
 * Whether an interface is at the backend, at another port of its host, or nowhere the gateway should go. A card never
 * leads the gateway to another host: HTTP interfaces that name one are taken to be the backend by its public name.
 */
const placed = (
  { host, port }: Address,
  binding: Binding,
  home: Home | undefined,
  ports: ReadonlySet<number>,
): { readonly elsewhere: Home | undefined } | undefined => {
  if (home !== undefined && sameHost(host, home.host)) {
    return { elsewhere: port === home.port ? undefined : { host: home.host, port } }
  }
  return binding !== "GRPC" || ports.has(port) ? { elsewhere: undefined } : undefined
}

const learned = (card: Fields, { home, reach }: Surroundings): ReadonlyArray<Line> => {
  const all = listOf(card["supportedInterfaces"]).flatMap((value) => {
    const one = fieldsOf(value)
    const binding = textOf(one["protocolBinding"])
    const version = cardVersion(textOf(one["protocolVersion"]))
    const address = addressOf(textOf(one["url"]) ?? "")
    return binding === undefined || !bindings.has(binding) || version === undefined || address === undefined
      ? []
      : [{ dialed: { binding: binding as Binding, version }, address, tenant: textOf(one["tenant"]) }]
  })
  const ports = new Set(all.flatMap(({ address, dialed }) => (dialed.binding === "GRPC" ? [] : [address.port])))
  return all.flatMap(({ address, dialed, tenant }) => {
    const at = placed(address, dialed.binding, home, ports)
    return at === undefined
      ? []
      : [{ dialed, place: { base: trimmed(address.path), tenant }, reach: reach(at.elsewhere, dialed.binding) }]
  })
}

const unreachable = (detail: string): Effect.Effect<never, Refusal> => Effect.fail({ _tag: "UpstreamFailed", detail })

const missing = (why: string | undefined): Effect.Effect<never, Refusal> =>
  why === circling
    ? Effect.fail({ _tag: "LoopDetected", detail: `the card of the agent cannot be had: ${why}` })
    : unreachable(`the card of the agent cannot be had${why === undefined ? "" : `: ${why}`}`)

const preference: Readonly<Record<Binding, number>> = { JSONRPC: 0, "HTTP+JSON": 1, GRPC: 2 }

const rank = (line: Dialed, asked: Dialed): number =>
  (line.version === asked.version ? 0 : 100) +
  (line.binding === asked.binding ? 0 : 10) +
  (line.version === "1.0" ? 0 : 5) +
  preference[line.binding]

/** As the client speaks where the agent speaks that too; else in its version, and by what says most. */
export const chooseLine = (
  lines: ReadonlyArray<Line>,
  asked: Dialed,
  operation: Operation | undefined,
): Line | undefined => {
  let best: Line | undefined
  for (const line of lines) {
    if (operation !== undefined && !canSay(line.dialed, operation)) continue
    if (best === undefined || rank(line.dialed, asked) < rank(best.dialed, asked)) best = line
  }
  return best
}

export class Agent {
  private readonly around: Surroundings
  private readonly fixed: ReadonlyArray<Line> | undefined
  private readonly document: RemoteDocument<Fields> | undefined
  private lines: ReadonlyArray<Line> = []
  private learnedFrom: Fields | undefined
  private made: { readonly from: Fields; readonly card: Fields } | undefined

  constructor(bridge: Bridge, around: Surroundings) {
    this.around = around
    this.document = around.document
    this.fixed =
      bridge.interfaces.length === 0
        ? undefined
        : bridge.interfaces.map(({ binding, path, target, tenant, version }) => ({
            dialed: { binding, version },
            place: { base: trimmed(path ?? ""), tenant },
            reach: around.reach(target, binding),
          }))
  }

  /** Waits for the card where there is none yet, as long as the deadline allows. */
  card(deadlineMillis: number, headers: Headers): Effect.Effect<Fields, Refusal> {
    const { document } = this
    if (document === undefined)
      return unreachable("the card of this agent cannot be learned; its interfaces must be given")
    const { lock, seal } = this.around
    const value = (): Effect.Effect<Fields, Refusal> => {
      const written = document.value
      if (written === undefined) return missing(document.problem)
      const card =
        seal === undefined
          ? Effect.succeed(this.modern(written))
          : Effect.map(seal.verify(written, deadlineMillis), (believed) => this.modern(believed))
      return lock === undefined ? card : Effect.flatMap(card, (one) => lock.judge(one, written["signatures"]))
    }
    this.around.cameBy?.(headers)
    const waiting =
      document.touch(deadlineMillis) ??
      (lock === undefined ? undefined : document.renew(lock.recheckMillis, deadlineMillis))
    return waiting === undefined ? value() : Effect.flatMap(waiting, value)
  }

  /** As 1.0 has it; made once for each card. */
  private modern(believed: Fields): Fields {
    if (this.made?.from !== believed) this.made = { from: believed, card: fromLegacyCard(believed) }
    return this.made.card
  }

  linesFor(deadlineMillis: number, headers: Headers): Effect.Effect<ReadonlyArray<Line>, Refusal> {
    if (this.fixed !== undefined) return Effect.succeed(this.fixed)
    return Effect.map(this.card(deadlineMillis, headers), (card) => {
      if (card !== this.learnedFrom) {
        this.lines = learned(card, this.around)
        this.learnedFrom = card
      }
      return this.lines
    })
  }
}

export const defaultCardPath = cardPaths[0]
