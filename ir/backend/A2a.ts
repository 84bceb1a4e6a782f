/** Many agents behind one endpoint. */
import * as Schema from "effect/Schema"
import { BackendRef } from "../BackendRef.ts"
import { BackendPolicy } from "../Policy.ts"

/** A name is a segment of a path, and stands in front of skills. */
const agentName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
    message: "expected lower-case letters, digits and hyphens, at most 63",
  }),
)

export const CataloguedAgent = Schema.Struct({
  name: agentName,
  backend: BackendRef,
  policies: Schema.Array(BackendPolicy),
})
export type CataloguedAgent = typeof CataloguedAgent.Type

export const a2aFields = { agents: Schema.Array(CataloguedAgent) }
