/** Services and expressions that look at MCP calls and their results, one after the other. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { HeaderName } from "../HeaderName.ts"
import { Callee } from "./Callee.ts"

const common = {
  /** Method pattern (exact, `prefix*`, `*suffix`, `*`) to the sides of a call that are looked at. */
  methods: Schema.Record(Schema.String, Schema.Literals(["off", "request", "response", "full"])),
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
}

export const McpProcessor = Schema.TaggedUnion({
  Remote: {
    ...common,
    callee: Callee,
    metadata: Schema.Array(NamedExpression),
    requestHeaders: Schema.Struct({ allowed: Schema.Array(HeaderName), disallowed: Schema.Array(HeaderName) }),
  },
  /** Rejects with a message, or puts what `transform` gives in place of the parameters or the result. */
  Expressions: {
    ...common,
    when: Schema.optionalKey(Expression),
    reject: Schema.optionalKey(Schema.String),
    transform: Schema.optionalKey(Expression),
  },
})
export type McpProcessor = typeof McpProcessor.Type

export const McpGuardrails = Schema.TaggedStruct("McpGuardrails", { processors: Schema.Array(McpProcessor) })
export type McpGuardrails = typeof McpGuardrails.Type
