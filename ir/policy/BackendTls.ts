/** How a backend is spoken to over TLS. */
import * as Schema from "effect/Schema"
import { ClientTls } from "../Tls.ts"

export const BackendTls = Schema.TaggedStruct("BackendTls", {
  tls: ClientTls,
  /** Identity and roots come from the Workload API instead. */
  spiffe: Schema.optionalKey(Schema.Boolean),
})
export type BackendTls = typeof BackendTls.Type
