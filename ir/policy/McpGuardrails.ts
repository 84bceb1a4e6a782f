/** Services that look at MCP calls and their results, one after the other. */
import * as Schema from "effect/Schema"
import { NamedExpression } from "../Expression.ts"
import { HeaderName } from "../HeaderName.ts"
import { Callee } from "./Callee.ts"

export const McpProcessor = Schema.TaggedUnion({
  Remote: {
    /** Method pattern (exact, `prefix*`, `*suffix`, `*`) to the sides of a call that are looked at. */
    methods: Schema.Record(Schema.String, Schema.Literals(["off", "request", "response", "full"])),
    callee: Callee,
    failureMode: Schema.Literals(["failClosed", "failOpen"]),
    metadata: Schema.Array(NamedExpression),
    requestHeaders: Schema.Struct({ allowed: Schema.Array(HeaderName), disallowed: Schema.Array(HeaderName) }),
  },
})
export type McpProcessor = typeof McpProcessor.Type

export const McpGuardrails = Schema.TaggedStruct("McpGuardrails", { processors: Schema.Array(McpProcessor) })
export type McpGuardrails = typeof McpGuardrails.Type
