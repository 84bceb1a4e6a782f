/**
 * What all targets list, as one list. A target that is late or gone is missing from it, which says so, and costs the others
 * nothing.
 */
import * as Effect from "effect/Effect"
import { arrayOf, asString, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { prefixedUri } from "../../../../protocols/mcp/naming.ts"
import { rewriteItem } from "../../../../protocols/mcp/rewrite.ts"
import { contextOf } from "../callers.ts"
import { limits } from "../limits.ts"
import { type Missing, missingConsent, missingKey } from "../missing.ts"
import type { Call, Caller, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { withResult } from "../target/withResult.ts"
import type { Judge, Kind } from "./Access.ts"
import type { Owned } from "./Directory.ts"
import type { FederationSettings } from "./FederationSettings.ts"
import type { Listed, Listing } from "./Listing.ts"
import type { Member } from "./Member.ts"
import { kindOf, type Names, naming } from "./Names.ts"
import { note } from "./note.ts"
import { Slices } from "./Slices.ts"

export interface Found {
  readonly member: Member
  readonly listed: Listed
}

/** What was made of the same listings before. */
interface Merged {
  readonly listings: ReadonlyArray<Listing>
  readonly each: ReadonlyArray<Json>
  readonly items: Json
  /** The items as they are sent, once somebody was sent them. */
  bytes: Uint8Array | undefined
  readonly conversions: Map<string, Json>
}

/** One item as its target calls it, and as it is shown where names do not clash. */
interface Piece {
  readonly native: string
  readonly name: string
  readonly text: Json
}

const encoder = new TextEncoder()

/** Where each target is to go on; it is finished if it is not among them. */
interface Cursor {
  readonly method: string
  readonly view: string
  readonly principal: string
  readonly expires: number
  readonly next: Readonly<Record<string, Json>>
}

/** Some clients say `null` where they mean that they have none. */
const cursorOf = (params: Fields | undefined): Json | undefined => {
  const cursor = params?.get("cursor")
  return cursor === "null" ? undefined : cursor
}

const purpose = "mcp-cursor"
const mergedMax = 1_024

const invalidCursor: Outcome = {
  _tag: "Error",
  error: errorOf(codes.invalidParams, "unknown cursor"),
  era: "modern",
}

export class Lists {
  private readonly settings: FederationSettings
  private readonly names: Names
  private readonly merged = new Map<string, Merged>()
  /** What was made of the items of one listing, as long as that is kept. */
  private readonly pieces = new WeakMap<ReadonlyArray<Json>, ReadonlyArray<Piece>>()
  /** Absent: what is listed as a whole is sent as a whole. */
  private readonly slices: Slices | undefined
  /** Names the view that cursors lead through. */
  private readonly view: string

  constructor(settings: FederationSettings, names: Names) {
    this.settings = settings
    this.names = names
    const { pageSize, runtime } = settings
    this.slices = pageSize === undefined ? undefined : new Slices(pageSize, runtime)
    this.view = settings.runtime.sealer.digest(settings.members.map(({ name }) => name).join(" "))
  }

  /** Everything every target lists, for whoever wants to know all of it. */
  everything(method: string, caller: Caller): Effect.Effect<ReadonlyArray<Found>> {
    const { members, runtime } = this.settings
    const now = runtime.clock.nowMillis()
    const found: Array<Found> = []
    for (const member of members) {
      const listed = member.fresh(method, caller, now)
      if (listed === undefined) break
      found.push({ member, listed })
    }
    // Where nobody has to be asked, nothing has to be waited for.
    if (found.length === members.length) return Effect.succeed(found)
    return Effect.forEach(
      members,
      (member) => Effect.map(member.list(method, caller), (listed) => ({ member, listed })),
      { concurrency: "unbounded" },
    )
  }

  list(call: Call, field: string, registry: (kind: Kind) => Map<string, Owned>): Effect.Effect<Outcome, TargetFailure> {
    const { caller, method, params } = call
    const { only } = this.names
    const kind = kindOf[method] as Kind
    if (only !== undefined) {
      note(call, only)
      const doubts = only.doubtsOf(method)
      return Effect.map(only.call(call), (outcome) => this.page(only, kind, field, call, outcome, doubts))
    }
    // Names that clash can only be told from others where all of them are known.
    const isByPages = this.settings.pagination === "composite" && (kind === "resource" || this.names.hasPrefixes)
    if (isByPages) return this.composite(call, field, kind, registry(kind))
    const cursor = cursorOf(params)
    const { slices } = this
    // Everything is on the first page, so no cursor of ours exists.
    if (cursor !== undefined && slices === undefined) return Effect.succeed(invalidCursor)
    return Effect.map(this.everything(method, caller), (found) => {
      const failed = this.failure(found)
      if (failed !== undefined) return failed
      const listings = listingsOf(found)
      const merged = this.merge(kind, caller, method, found, listings, registry(kind))
      const missing = missingOf(found)
      const slice = slices?.cut(merged.each, merged.items, method, caller, cursor)
      if (slices !== undefined && slice === undefined) return invalidCursor
      const [before, after] = this.around(caller, field, listings, missing, slice?.next)
      if (slice !== undefined && slice.items.length < merged.each.length) {
        return { _tag: "Result", result: `${before}${arrayOf(slice.items)}${after}`, era: "modern" }
      }
      const result = `${before}${merged.items}${after}`
      // What depends on who is missing today is not kept.
      if (missing.length > 0) return { _tag: "Result", result, era: "modern" }
      const bytes = (merged.bytes ??= encoder.encode(merged.items))
      const { conversions } = merged
      return { _tag: "Result", result, era: "modern", conversions, encoded: { before, bytes, after } }
    })
  }

  /** Where one target is missing and that is not to be borne. */
  private failure(found: ReadonlyArray<Found>): Outcome | undefined {
    if (this.settings.failureMode !== "failClosed" || found.every(({ listed }) => listed._tag !== "Missing")) {
      return undefined
    }
    const targets = missingOf(found).map(({ target }) => target)
    const data = { reason: "upstream_missing", targets }
    const error = errorOf(codes.internal, `not every target answered: ${targets.join(", ")}`, data)
    return { _tag: "Error", error, era: "modern" }
  }

  /** The same listings make the same list for everybody who may see all of it. */
  private merge(
    kind: Kind,
    caller: Caller,
    method: string,
    found: ReadonlyArray<Found>,
    listings: ReadonlyArray<Listing>,
    registry: Map<string, Owned>,
  ): Merged {
    const make = (): Merged => {
      const each = this.rename(kind, caller, found, method, registry)
      return { listings, each, items: arrayOf(each), bytes: undefined, conversions: new Map() }
    }
    if (!this.settings.access.isOpenTo(caller.exchange)) return make()
    const key = `${method} ${contextOf(caller)}`
    const known = this.merged.get(key)
    if (
      known?.listings.length === listings.length &&
      known.listings.every((one, i) => one.items === listings[i]?.items)
    ) {
      return known
    }
    if (this.merged.size >= mergedMax) this.merged.clear()
    const merged = make()
    this.merged.set(key, merged)
    return merged
  }

  /** What stands before the items in a result, and after them. */
  private around(
    caller: Caller,
    field: string,
    listings: ReadonlyArray<Listing>,
    missing: ReturnType<typeof missingOf>,
    nextCursor?: string,
  ): readonly [Json, Json] {
    const now = this.settings.runtime.clock.nowMillis()
    const left = listings.map(({ atMillis, ttlMillis }) => Math.max(0, Math.floor(ttlMillis - (now - atMillis))))
    const isPublic =
      missing.length === 0 && this.settings.access.isOpenTo(caller.exchange) && listings.every((one) => one.isPublic)
    const rest = Fields.of({
      nextCursor: nextCursor === undefined ? undefined : JSON.stringify(nextCursor),
      resultType: '"complete"',
      ttlMs: String(missing.length > 0 || left.length === 0 ? 0 : Math.min(...left)),
      cacheScope: isPublic && listings.length > 0 ? '"public"' : '"private"',
      _meta: missing.length === 0 ? undefined : JSON.stringify({ [missingKey]: missing }),
    }).toJson()
    return [`{${JSON.stringify(field)}:`, `,${rest.slice(1)}`]
  }

  // One page of every target at a time --------------------------------------------------------------------------------

  private composite(
    { caller, method, params }: Call,
    field: string,
    kind: Kind,
    registry: Map<string, Owned>,
  ): Effect.Effect<Outcome> {
    const { members, runtime } = this.settings
    const given = cursorOf(params)
    const cursor = given === undefined ? undefined : this.opened(asString(given), method, caller)
    if (given !== undefined && cursor === undefined) return Effect.succeed(invalidCursor)
    const asked = cursor === undefined ? members : members.filter(({ name }) => Object.hasOwn(cursor.next, name))
    const pages = Effect.forEach(
      asked,
      (member) => Effect.map(member.page(method, caller, cursor?.next[member.name]), (page) => ({ member, page })),
      { concurrency: "unbounded" },
    )
    return Effect.map(pages, (found): Outcome => {
      // A cursor its own server does not know any more is no cursor of ours either.
      if (cursor !== undefined && found.some(({ page }) => page._tag === "Refused")) return invalidCursor
      const listed = found.map(({ member, page }): Found => ({
        member,
        listed:
          page._tag === "Page" ? { _tag: "Fresh", listing: page.listing } : { _tag: "Missing", failure: page.failure },
      }))
      const failed = this.failure(listed)
      if (failed !== undefined) return failed
      const next = Object.fromEntries(
        found.flatMap(({ member, page }) =>
          page._tag === "Page" && page.next !== undefined ? [[member.name, page.next]] : [],
        ),
      )
      const state: Cursor = {
        method,
        view: this.view,
        principal: caller.principal,
        expires: runtime.clock.wallMillis() + limits.sealedMillis,
        next,
      }
      const nextCursor =
        Object.keys(next).length === 0 ? undefined : runtime.sealer.seal(JSON.stringify(state), purpose)
      const items = arrayOf(this.rename(kind, caller, listed, method, registry, false))
      const [before, after] = this.around(caller, field, listingsOf(listed), missingOf(listed), nextCursor)
      return { _tag: "Result", result: `${before}${items}${after}`, era: "modern" }
    })
  }

  private opened(text: string | undefined, method: string, { principal }: Caller): Cursor | undefined {
    const { clock, sealer } = this.settings.runtime
    const opened = text === undefined ? undefined : sealer.open(text, purpose)
    if (opened === undefined) return undefined
    const cursor = JSON.parse(opened) as Cursor
    const isGood =
      cursor.method === method &&
      cursor.view === this.view &&
      cursor.principal === principal &&
      clock.wallMillis() < cursor.expires
    return isGood ? cursor : undefined
  }

  /** A page of the only target: as it is, unless somebody may not see all of it. */
  private page(
    only: Member,
    kind: Kind,
    field: string,
    { caller, method, params }: Call,
    outcome: Outcome,
    doubts: number,
  ): Outcome {
    if (outcome._tag === "Error") return outcome
    const listing = only.listingOf(method, outcome, only.known(method, caller))
    const fields = Fields.parse(outcome.result)
    const isWhole = params?.has("cursor") !== true && fields?.has("nextCursor") !== true
    if (isWhole) only.keep(method, caller, listing, doubts)
    const judge = this.judge(caller)
    if (fields === undefined || (judge === undefined && !outcome.result.includes("x-mcp-header"))) return outcome
    const items = listing.items.filter(
      (item) =>
        judge === undefined ||
        judge.lists(kind, only.name, asString(Fields.parse(item)?.get(naming[method] ?? "name")) ?? ""),
    )
    let next = fields.with(field, arrayOf(items))
    if (judge !== undefined && next.has("cacheScope")) next = next.with("cacheScope", '"private"')
    return withResult(outcome, next.toJson())
  }

  private judge({ exchange }: Caller): Judge | undefined {
    const { access } = this.settings
    return access.isOpenTo(exchange) ? undefined : access.of(exchange)
  }

  /** The items of all targets in the order of the configuration, under the names that clients know them by. */
  rename(
    kind: Kind,
    caller: Caller,
    found: ReadonlyArray<Found>,
    method: string,
    registry: Map<string, Owned>,
    isWhole = true,
  ): ReadonlyArray<Json> {
    const judge = this.judge(caller)
    const isNamed = naming[method] === "name"
    const there = found.flatMap(({ listed, member }) =>
      listed._tag === "Missing" ? [] : [{ member, pieces: this.piecesOf(method, member, listed.listing.items) }],
    )
    const clashing = isNamed && !this.names.hasPrefixes ? clashes(there) : undefined
    if (isNamed && isWhole) registry.clear()
    const items: Array<Json> = []
    const seen = new Set<string>()
    for (const { member, pieces } of there) {
      for (const piece of pieces) {
        const { native } = piece
        if (judge !== undefined && !judge.lists(kind, member.name, native)) continue
        const isClashing = clashing?.has(native) === true
        if (isClashing && this.settings.prefixMode === "never") continue
        const name = isClashing ? this.names.prefixed(member, native) : piece.name
        if (seen.has(name)) continue
        seen.add(name)
        if (isNamed) registry.set(name, { member, name: native })
        items.push(isClashing ? renamed(piece.text, name) : piece.text)
      }
    }
    return items
  }

  /** Every item is looked into once, however often its list is shown. */
  private piecesOf(method: string, member: Member, items: ReadonlyArray<Json>): ReadonlyArray<Piece> {
    const known = this.pieces.get(items)
    if (known !== undefined) return known
    const field = naming[method] as string
    const isNamed = field === "name"
    const uri = (one: string): string => prefixedUri(member.name, one)
    const pieces = items.flatMap((item): ReadonlyArray<Piece> => {
      const fields = Fields.parse(item)
      const native = fields?.string(field)
      if (fields === undefined || native === undefined) return []
      const name = isNamed ? this.names.nameFor(member, native) : uri(native)
      const text = name === native ? item : fields.with(field, JSON.stringify(name)).toJson()
      return [{ native, name, text: isNamed ? rewriteItem(method, text, uri) : text }]
    })
    this.pieces.set(items, pieces)
    return pieces
  }
}

const renamed = (item: Json, name: string): Json =>
  Fields.parse(item)?.with("name", JSON.stringify(name)).toJson() ?? item

const listingsOf = (found: ReadonlyArray<Found>): ReadonlyArray<Listing> =>
  found.flatMap(({ listed }) => (listed._tag === "Missing" ? [] : [listed.listing]))

const missingOf = (found: ReadonlyArray<Found>) =>
  found.flatMap(({ listed, member: { name } }): ReadonlyArray<Missing> => {
    if (listed._tag !== "Fresh") {
      return [{ target: name, stale: listed._tag === "Stale", reason: reasonOf(listed.failure) }]
    }
    const { consent } = listed.listing
    return consent === undefined ? [] : [missingConsent(name, consent)]
  })

const clashes = (
  there: ReadonlyArray<{ readonly member: Member; readonly pieces: ReadonlyArray<Piece> }>,
): ReadonlySet<string> => {
  const owners = new Map<string, Member>()
  const clashing = new Set<string>()
  for (const { member, pieces } of there) {
    for (const { native } of pieces) {
      const owner = owners.get(native)
      if (owner === undefined) owners.set(native, member)
      else if (owner !== member) clashing.add(native)
    }
  }
  return clashing
}

const reasonOf = (failure: TargetFailure): string => {
  switch (failure._tag) {
    case "Unreachable":
      return "unreachable"
    case "TimedOut":
      return "timeout"
    case "Unauthorized":
      return "unauthorized"
    case "Busy":
      return "busy"
    case "Suspended":
      return "suspended"
  }
}
