/** `remoteRateLimit`: limits that a service counts. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { RemoteRateLimit as IrRemoteRateLimit } from "../../../../ir/policy/RemoteRateLimit.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, failureMode, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"
import { conditional } from "./conditional.ts"

const remoteRateLimitFields = {
  ...calleeFields,
  domain: Schema.String,
  descriptors: Schema.Array(
    Schema.Struct({
      entries: Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Cel })),
      type: opt(anyCase(["requests", "tokens"])),
      cost: opt(Cel),
      limitOverride: opt(Cel),
    }),
  ),
  failureMode: opt(failureMode),
}
const remoteRateLimitShape = conditional(remoteRateLimitFields).annotate({ identifier: "RemoteRateLimit" })
export interface RemoteRateLimitSchema extends Named<typeof remoteRateLimitShape> {}
export const RemoteRateLimit: RemoteRateLimitSchema = remoteRateLimitShape
export type RemoteRateLimit = typeof RemoteRateLimit.Type

type PlainRemoteRateLimit = Exclude<RemoteRateLimit, { readonly conditional: unknown }>

export const remoteRateLimit = (one: PlainRemoteRateLimit, path: Path, to: Mapping): IrRemoteRateLimit | undefined => {
  const called = callee(one, path, to)
  if (one.descriptors.length === 0) to.warn([...path, "descriptors"], "without descriptors nothing is limited")
  for (const [i, { entries }] of one.descriptors.entries()) {
    if (entries.length > 0) continue
    to.warn([...path, "descriptors", i, "entries"], "a descriptor without entries counts nothing")
  }
  return called === undefined
    ? undefined
    : {
        _tag: "RemoteRateLimit",
        callee: called,
        domain: one.domain,
        descriptors: one.descriptors.map((descriptor) => ({
          entries: descriptor.entries.map(({ key, value }) => ({ name: key, expression: value })),
          type: descriptor.type ?? "requests",
          ...present({ cost: descriptor.cost, limitOverride: descriptor.limitOverride }),
        })),
        failureMode: one.failureMode ?? defaults.failureMode,
      }
}
