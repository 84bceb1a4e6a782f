/** A policy and the place it acts on. */
import * as Schema from "effect/Schema"
import { AttachmentKey } from "./Key.ts"
import { BackendPolicy, FrontendPolicy, TrafficPolicy } from "./Policy.ts"
import { Target } from "./Target.ts"

export const Attachment = Schema.Struct({
  key: AttachmentKey,
  /** As the user named it, for messages. */
  name: Schema.optionalKey(Schema.Struct({ name: Schema.String, namespace: Schema.String })),
  target: Target,
  /** `override` locks what it sets: a more specific place cannot replace it. */
  inheritance: Schema.Literals(["default", "override"]),
  policy: Schema.TaggedUnion({
    Frontend: { policy: FrontendPolicy },
    Traffic: { phase: Schema.Literals(["gateway", "route"]), policy: TrafficPolicy },
    Backend: { policy: BackendPolicy },
  }),
})
export type Attachment = typeof Attachment.Type
