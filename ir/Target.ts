/** What a policy is attached to. */
import * as Schema from "effect/Schema"
import { BackendKey, ServiceKey } from "./Key.ts"

export const Target = Schema.TaggedUnion({
  /** A whole gateway, one of its listeners by name, or one of its ports. */
  Gateway: {
    name: Schema.String,
    namespace: Schema.String,
    listener: Schema.optionalKey(Schema.String),
    port: Schema.optionalKey(Schema.Port),
  },
  ListenerSet: { name: Schema.String, namespace: Schema.String, section: Schema.optionalKey(Schema.String) },
  Service: { service: ServiceKey, port: Schema.optionalKey(Schema.Port) },
  Route: {
    name: Schema.String,
    namespace: Schema.String,
    ruleName: Schema.optionalKey(Schema.String),
    kind: Schema.optionalKey(Schema.String),
  },
  Backend: { backend: BackendKey, section: Schema.optionalKey(Schema.String) },
})
export type Target = typeof Target.Type
