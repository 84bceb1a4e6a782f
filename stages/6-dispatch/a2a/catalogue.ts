/**
 * Many agents behind one endpoint: each below its own name, a list of those the client may use, and one agent that
 * stands for all of them and passes each question to the one that can answer it. What a client may not use does not
 * exist for it.
 */
import * as Effect from "effect/Effect"
import { agentWith, facade, type Listed, matches, PAGE_MAX, pageOf } from "../../../protocols/a2a/catalogue.ts"
import { toLegacyCard } from "../../../protocols/a2a/card/legacy.ts"
import { hybrid, offered } from "../../../protocols/a2a/card/offer.ts"
import { cardPaths } from "../../../protocols/a2a/detect.ts"
import type { Fields } from "../../../protocols/a2a/Fields.ts"
import { readVersion, versionHeader } from "../../../protocols/a2a/version.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Reply, Routed } from "../../Exchange.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Attempting, Try } from "../Target.ts"
import { listen } from "./listen.ts"
import { relocationOf } from "./outside.ts"
import { conditional } from "./validators.ts"
import type { Whereabouts } from "./Whereabouts.ts"

export interface Member {
  readonly name: string
  /** With everything that is said of this agent: its rules, its own way of speaking. */
  readonly attempt: Attempting
  /** Undefined while it cannot be had. */
  readonly card: (attempt: Try) => Effect.Effect<Fields | undefined>
  /** Whether the rules of this agent let the client see it. */
  readonly isVisible: (attempt: Try) => Effect.Effect<boolean>
}

export interface Catalogue {
  readonly name: string
  readonly members: ReadonlyArray<Member>
  readonly whereabouts: Whereabouts
}

const notFound: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "RouteNotFound" })

/** What follows the prefix by which the route was chosen, and that prefix as the client wrote it. */
const below = (exchange: Routed, inside: string): { readonly root: string; readonly rest: string } => {
  const outside = (exchange.original ?? exchange.request).path
  const { path } = exchange.match
  const prefix = path._tag === "Prefix" ? path.path.replace(/\/$/, "") : ""
  const rest = outside.startsWith(prefix) ? outside.slice(prefix.length) : outside
  return inside.endsWith(rest) ? { root: prefix, rest } : { root: "", rest: inside }
}

const json = (attempt: Try, value: unknown): Reply =>
  conditional(attempt.request, {
    status: 200,
    // What is listed depends on who asks.
    headers: new Headers([
      "content-type",
      "application/json",
      "cache-control",
      "private, max-age=60",
      "vary",
      `${versionHeader}, authorization`,
    ]),
    body: Body.text(JSON.stringify(value)),
    origin: "gateway",
  })

export const catalogue = (ports: PolicyPorts, { members, name, whereabouts }: Catalogue): Attempting => {
  const hear = listen(ports, false)
  const byName = new Map(members.map((member) => [member.name, member]))

  const visible = (attempt: Try): Effect.Effect<ReadonlyArray<Member>> =>
    Effect.map(
      Effect.forEach(members, (member) => Effect.map(member.isVisible(attempt), (sees) => (sees ? [member] : []))),
      (kept) => kept.flat(),
    )

  /** All that the client may use, with their cards; whoever cannot be asked is listed without. */
  const listed = (attempt: Try, root: string): Effect.Effect<ReadonlyArray<Listed>> => {
    const { authority, scheme } = relocationOf(attempt.exchange, attempt.request.path)
    const at = `${scheme}://${authority}${root}`
    return Effect.flatMap(visible(attempt), (able) =>
      Effect.forEach(
        able,
        (member) =>
          Effect.map(member.card(attempt), (card): Listed => ({
            id: member.name,
            cardUrl: `${at}/${member.name}${cardPaths[0]}`,
            card,
          })),
        { concurrency: 8 },
      ),
    )
  }

  const list = (attempt: Try, root: string): Effect.Effect<Reply> => {
    const query = new URLSearchParams(attempt.request.query ?? "")
    const get = (field: string): string | undefined => query.get(field) || undefined
    const size = Number(get("pageSize") ?? PAGE_MAX)
    const search = {
      skill: get("skill"),
      tag: get("tag"),
      inputMode: get("inputMode"),
      outputMode: get("outputMode"),
      q: get("q"),
    }
    return Effect.map(listed(attempt, root), (all) => {
      const found = all.filter((one) => matches(one, search))
      const fitting = Number.isInteger(size) && size >= 1 && size <= PAGE_MAX ? size : PAGE_MAX
      const { entries, nextPageToken, totalSize } = pageOf(found, fitting, get("pageToken"))
      return json(attempt, { agents: entries, nextPageToken, totalSize })
    })
  }

  const facadeCard = (attempt: Try, root: string): Effect.Effect<Reply> =>
    Effect.map(listed(attempt, root), (all) => {
      const { authority, scheme } = relocationOf(attempt.exchange, attempt.request.path)
      const card = offered(facade(name, all), {
        scheme,
        authority,
        base: root,
        bindings: ["JSONRPC", "HTTP+JSON"],
        versions: ["1.0", "0.3"],
      })
      const asked = readVersion(attempt.request.headers.get(versionHeader))
      const isLegacy = asked._tag === "Known" && asked.version === "0.3"
      return json(attempt, asked._tag === "Unsaid" ? hybrid(card) : isLegacy ? toLegacyCard(card) : card)
    })

  /** To one agent, which is told the path below its name. */
  const pass = (attempt: Try, member: Member, path: string): Effect.Effect<Reply, Refusal> => {
    const request = attempt.request.copy()
    request.path = path === "" ? "/" : path
    attempt.request = request
    return Effect.suspend(() => member.attempt(attempt))
  }

  /** The agent that has the task, else the one that has the skill, else the first. */
  const chosen = (attempt: Try, root: string): Effect.Effect<Member | undefined> => {
    const conversation = attempt.exchange.notes?.a2a
    const { contextId, taskId } = conversation ?? {}
    const here = whereabouts.of(name, taskId, contextId)
    const seeking = here === undefined ? whereabouts.seek(name, taskId, contextId) : undefined
    return seeking === undefined
      ? chosenBy(attempt, root, here)
      : Effect.flatMap(seeking, (place) => chosenBy(attempt, root, place))
  }

  const chosenBy = (attempt: Try, root: string, place: string | undefined): Effect.Effect<Member | undefined> => {
    const known = place === undefined ? undefined : byName.get(place)
    if (known !== undefined) return Effect.map(known.isVisible(attempt), (sees) => (sees ? known : undefined))
    const skill = attempt.exchange.notes?.a2a?.skill
    if (skill === undefined) return Effect.map(visible(attempt), ([first]) => first)
    return Effect.map(listed(attempt, root), (all) => byName.get(agentWith(all, skill) ?? ""))
  }

  const forAll = (attempt: Try, root: string, rest: string): Effect.Effect<Reply, Refusal> =>
    Effect.flatMap(hear.run(attempt), () => {
      if (attempt.exchange.notes?.a2a?.isCall !== true) return notFound
      return Effect.flatMap(chosen(attempt, root), (member) => {
        if (member === undefined) return notFound
        attempt.exchange.notes?.a2a?.follow((taskId, contextId) =>
          whereabouts.note(name, member.name, taskId, contextId),
        )
        return pass(attempt, member, rest)
      })
    })

  return (attempt) => {
    const { exchange, request } = attempt
    const { rest, root } = below(exchange, request.path)
    const isReading = request.method === "GET" || request.method === "HEAD"
    if (isReading && rest === "/agents") return list(attempt, root)
    if (isReading && (rest === cardPaths[0] || rest === cardPaths[1])) return facadeCard(attempt, root)
    const [, first = "", more = ""] = /^\/([^/]*)(.*)$/.exec(rest) ?? []
    const member = byName.get(first)
    if (member === undefined) return forAll(attempt, root, rest)
    return Effect.flatMap(member.isVisible(attempt), (sees) => (sees ? pass(attempt, member, more) : notFound))
  }
}
