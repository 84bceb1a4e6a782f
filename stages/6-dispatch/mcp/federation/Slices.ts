/** A whole list in parts of so many items, for clients that are better off with less at a time. */
import { asString, type Json } from "../../../../protocols/mcp/json.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Caller } from "../target/McpTarget.ts"

/** Leads on in this list as it was, and in no other. */
interface Place {
  readonly method: string
  readonly principal: string
  readonly list: string
  readonly from: number
  readonly expires: number
}

export interface Slice {
  readonly items: ReadonlyArray<Json>
  readonly next: string | undefined
}

const purpose = "mcp-slice"

export class Slices {
  private readonly size: number
  private readonly runtime: McpRuntime

  constructor(size: number, runtime: McpRuntime) {
    this.size = size
    this.runtime = runtime
  }

  /** Undefined: the cursor belongs to somebody else, to another list, or to one that has changed since. */
  cut(
    items: ReadonlyArray<Json>,
    whole: Json,
    method: string,
    { principal }: Caller,
    cursor: Json | undefined,
  ): Slice | undefined {
    const { clock, sealer } = this.runtime
    if (cursor === undefined && items.length <= this.size) return { items, next: undefined }
    const list = sealer.digest(whole)
    const from = cursor === undefined ? 0 : this.placeOf(asString(cursor), { method, principal, list })
    if (from === undefined) return undefined
    const end = from + this.size
    const expires = clock.wallMillis() + limits.sealedMillis
    const next: Place = { method, principal, list, from: end, expires }
    return {
      items: items.slice(from, end),
      next: end < items.length ? sealer.seal(JSON.stringify(next), purpose) : undefined,
    }
  }

  private placeOf(text: string | undefined, here: Pick<Place, "method" | "principal" | "list">): number | undefined {
    const { clock, sealer } = this.runtime
    const opened = text === undefined ? undefined : sealer.open(text, purpose)
    if (opened === undefined) return undefined
    const { expires, from, list, method, principal } = JSON.parse(opened) as Place
    const isHere = method === here.method && principal === here.principal && list === here.list
    return isHere && clock.wallMillis() < expires ? from : undefined
  }
}
