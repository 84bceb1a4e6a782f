/** Sends what belongs together to one endpoint. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"

export const SessionAffinity = Schema.TaggedStruct("SessionAffinity", { source: Expression })
export type SessionAffinity = typeof SessionAffinity.Type
