/** Fixed changes to the headers of a request. */
import * as Schema from "effect/Schema"
import { HeaderEdits } from "./HeaderEdits.ts"

export const RequestHeaderModifier = Schema.TaggedStruct("RequestHeaderModifier", { ...HeaderEdits.fields })
export type RequestHeaderModifier = typeof RequestHeaderModifier.Type
