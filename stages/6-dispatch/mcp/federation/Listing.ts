/** What a target lists, as it was read: whole, or one page of it. */
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { paramHeadersOf } from "../../../../protocols/mcp/paramHeaders.ts"
import type { Era } from "../../../../protocols/mcp/revision.ts"
import { limits } from "../limits.ts"
import type { Consent, TargetFailure } from "../target/McpTarget.ts"

export interface Listing {
  /** In the target's own words. */
  readonly items: ReadonlyArray<Json>
  readonly era: Era
  readonly atMillis: number
  /** How long it is good for from then on. */
  readonly ttlMillis: number
  /** How long it was to be good for when it came, whatever was heard of changes since. */
  readonly offeredMillis: number
  readonly isPublic: boolean
  /** The one page it was read from; absent: there were several. */
  readonly page?: Json | undefined
  /** Where the next page begins. */
  readonly next?: Json | undefined
  /** Present: there will be more once the caller has connected an account. */
  readonly consent?: Consent | undefined
}

/** One page, and where the next one begins. */
export type Page =
  | { readonly _tag: "Page"; readonly listing: Listing; readonly next: Json | undefined }
  /** The server does not know the cursor. */
  | { readonly _tag: "Refused"; readonly failure: TargetFailure }
  | { readonly _tag: "Missing"; readonly failure: TargetFailure }

export type Listed =
  | { readonly _tag: "Fresh"; readonly listing: Listing }
  /** What it said before; `failure` is what it says now. */
  | { readonly _tag: "Stale"; readonly listing: Listing; readonly failure: TargetFailure }
  | { readonly _tag: "Missing"; readonly failure: TargetFailure }

/** Pages as one: good for as long as the shortest-lived, and public if all are. */
export const joined = (pages: ReadonlyArray<Listing>): Listing => {
  const [first] = pages
  if (first !== undefined && pages.length === 1) return first
  return {
    ...(first as Listing),
    page: undefined,
    next: undefined,
    items: pages.flatMap(({ items }) => items).slice(0, limits.itemsMax),
    ttlMillis: Math.min(...pages.map(({ ttlMillis }) => ttlMillis)),
    isPublic: pages.every(({ isPublic }) => isPublic),
  }
}

/** A tool whose schema asks for headers that cannot be made cannot be called. */
export const isCallable = (tool: Json): boolean =>
  !tool.includes("x-mcp-header") || paramHeadersOf(Fields.parse(tool)?.get("inputSchema")) !== undefined
