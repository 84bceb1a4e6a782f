/** How messages to a receiver of OTLP are written and sent. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"

export const OtlpProtocol = Schema.Literals(["grpc", "http", "http/json"])
export type OtlpProtocol = typeof OtlpProtocol.Type

export const otlpFields = {
  /** Over HTTP. */
  path: Schema.String,
  /** `http`: as protobuf. */
  protocol: OtlpProtocol,
  compression: Schema.optionalKey(Schema.Literal("gzip")),
  /** Of one try; ten seconds unless set. */
  timeoutMillis: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  /** Sent along with every export, for receivers that ask for a key. */
  headers: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.String, value: Secret }))),
}
const Otlp = Schema.Struct(otlpFields)
export type Otlp = typeof Otlp.Type
