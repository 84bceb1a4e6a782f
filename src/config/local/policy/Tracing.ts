/** `tracing`: which exchanges are traced, and where spans go. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { Sampling as IrSampling, Tracing as IrTracing } from "../../../../ir/policy/Tracing.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, CelMap, expressions, opt, otlpProtocol, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"

const Sampling = Schema.Union([Schema.Boolean, Schema.Finite, Schema.NonEmptyString])
const tracingShape = Schema.Struct({
  ...calleeFields,
  attributes: opt(CelMap),
  resources: opt(CelMap),
  remove: opt(Texts),
  randomSampling: opt(Sampling),
  clientSampling: opt(Sampling),
  filter: opt(Cel),
  path: opt(Schema.NonEmptyString),
  protocol: opt(otlpProtocol),
}).annotate({ identifier: "Tracing" })
export interface TracingSchema extends Named<typeof tracingShape> {}
export const Tracing: TracingSchema = tracingShape
export type Tracing = typeof Tracing.Type

const sampling = (one: NonNullable<Tracing["randomSampling"]>, path: Path, to: Mapping): IrSampling | undefined => {
  if (typeof one === "string") return { _tag: "Computed", expression: one as Expression }
  const fraction = typeof one === "boolean" ? (one ? 1 : 0) : one
  return fraction >= 0 && fraction <= 1
    ? { _tag: "Fraction", fraction }
    : to.fail(path, "expected a number from 0.0 to 1.0")
}

export const tracing = (policy: Tracing, path: Path, to: Mapping): IrTracing | undefined => {
  const called = callee(policy, path, to)
  const { clientSampling, randomSampling } = policy
  return called === undefined
    ? undefined
    : {
        _tag: "Tracing",
        callee: called,
        attributes: expressions(policy.attributes),
        resources: expressions(policy.resources),
        remove: policy.remove ?? [],
        path: policy.path ?? defaults.otlpTracesPath,
        protocol: policy.protocol ?? defaults.otlpProtocol,
        ...present({
          filter: policy.filter,
          randomSampling:
            randomSampling === undefined ? undefined : sampling(randomSampling, [...path, "randomSampling"], to),
          clientSampling:
            clientSampling === undefined ? undefined : sampling(clientSampling, [...path, "clientSampling"], to),
        }),
      }
}
