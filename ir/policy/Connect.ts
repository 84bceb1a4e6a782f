/** What to do with CONNECT: refuse it, route it like any request, or be a tunnel at connection level. */
import * as Schema from "effect/Schema"

export const Connect = Schema.TaggedStruct("Connect", { mode: Schema.Literals(["deny", "route", "tunnel"]) })
export type Connect = typeof Connect.Type
