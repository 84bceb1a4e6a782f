/** What is written about each exchange, and where besides the console. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { Callee } from "./Callee.ts"
import { otlpFields } from "./Otlp.ts"

export const LogFields = Schema.Struct({ add: Schema.Array(NamedExpression), remove: Schema.Array(Schema.String) })
export type LogFields = typeof LogFields.Type

export const AccessLog = Schema.TaggedStruct("AccessLog", {
  filter: Schema.optionalKey(Expression),
  fields: LogFields,
  otlp: Schema.optionalKey(
    Schema.Struct({
      callee: Callee,
      ...otlpFields,
      /** Absent: as for the console. */
      filter: Schema.optionalKey(Expression),
      fields: Schema.optionalKey(LogFields),
    }),
  ),
  database: Schema.optionalKey(
    Schema.Struct({
      /** Whether prompts and answers are stored, or only what is known about them. */
      llm: Schema.Literals(["metadata", "full"]),
      add: Schema.Array(NamedExpression),
    }),
  ),
})
export type AccessLog = typeof AccessLog.Type
