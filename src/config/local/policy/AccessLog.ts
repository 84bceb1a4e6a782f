/** `accessLog`: what is written down of each exchange. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { AccessLog as IrAccessLog } from "../../../../ir/policy/AccessLog.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, CelMap, expressions, opt, otlpProtocol, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"

const LogFields = Schema.Struct({ add: opt(CelMap), remove: opt(Texts) })
const accessLogShape = Schema.Struct({
  filter: opt(Cel),
  add: opt(CelMap),
  remove: opt(Texts),
  fields: opt(LogFields, "An older place of `add` and `remove`."),
  otlp: opt(
    Schema.Struct({
      ...calleeFields,
      filter: opt(Cel),
      fields: opt(LogFields),
      protocol: opt(otlpProtocol),
      path: opt(Schema.NonEmptyString),
    }),
  ),
  database: opt(Schema.Struct({ llm: opt(anyCase(["metadata", "full"])), add: opt(CelMap) })),
}).annotate({ identifier: "AccessLog" })
export interface AccessLogSchema extends Named<typeof accessLogShape> {}
export const AccessLog: AccessLogSchema = accessLogShape
export type AccessLog = typeof AccessLog.Type

export const accessLog = (policy: AccessLog, path: Path, to: Mapping): IrAccessLog => {
  const { database, otlp } = policy
  const called = otlp === undefined ? undefined : callee(otlp, [...path, "otlp"], to)
  if (policy.fields !== undefined && (policy.add ?? policy.remove) !== undefined) {
    to.fail([...path, "fields"], "`fields` is an older place of `add` and `remove`; use one of the two")
  }
  const { add, remove } = policy.fields ?? policy
  return {
    _tag: "AccessLog",
    fields: { add: expressions(add), remove: remove ?? [] },
    ...present({
      filter: policy.filter,
      otlp:
        otlp === undefined || called === undefined
          ? undefined
          : {
              callee: called,
              protocol: otlp.protocol ?? defaults.otlpProtocol,
              path: otlp.path ?? defaults.otlpLogsPath,
              ...present({
                filter: otlp.filter,
                fields:
                  otlp.fields === undefined
                    ? undefined
                    : { add: expressions(otlp.fields.add), remove: otlp.fields.remove ?? [] },
              }),
            },
      database:
        database === undefined ? undefined : { llm: database.llm ?? "metadata", add: expressions(database.add) },
    }),
  }
}
