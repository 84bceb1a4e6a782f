/** Fixed changes to the headers of a reply. */
import * as Schema from "effect/Schema"
import { HeaderEdits } from "./HeaderEdits.ts"

export const ResponseHeaderModifier = Schema.TaggedStruct("ResponseHeaderModifier", { ...HeaderEdits.fields })
export type ResponseHeaderModifier = typeof ResponseHeaderModifier.Type
