/** Policies of which the first applies whose condition holds: `conditional`. */
import * as Schema from "effect/Schema"
import type { Expression } from "../../../../ir/Expression.ts"
import type { ConditionalPolicy, Entry, TrafficPolicy } from "../../../../ir/Policy.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

export const entryOrder = Schema.makeFilter<ReadonlyArray<{ readonly condition?: unknown }>>((entries) => {
  if (entries.length > 64) return "conditional policies have 64 entries at most"
  const early = entries.findIndex((entry, i) => entry.condition === undefined && i < entries.length - 1)
  return early < 0 ? undefined : { path: [early], issue: "conditional policy entries without condition must be last" }
})

/** `{…}` itself, or `{conditional: [{condition, …}, …]}`. */
export const conditional = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Union([
    Schema.Struct(fields),
    Schema.Struct({
      conditional: Schema.NonEmptyArray(Schema.Struct({ ...fields, condition: opt(Cel) })).check(entryOrder),
    }),
  ])

/** One content, or a list of them with conditions; an entry that cannot be mapped leaves the policy out. */
export const conditionally =
  <P extends object>(map: (one: P, path: Path, to: Mapping) => ConditionalPolicy | undefined) =>
  (
    policy: P | { readonly conditional: ReadonlyArray<P & { readonly condition?: Expression }> },
    path: Path,
    to: Mapping,
  ): TrafficPolicy | undefined => {
    if (!("conditional" in policy)) return map(policy, path, to)
    const entries = policy.conditional.flatMap((entry, i): ReadonlyArray<Entry> => {
      const mapped = map(entry, [...path, "conditional", i], to)
      return mapped === undefined ? [] : [{ ...present({ condition: entry.condition }), policy: mapped }]
    })
    const [first, ...rest] = entries
    return first === undefined || entries.length < policy.conditional.length
      ? undefined
      : { _tag: "Conditional", entries: [first, ...rest] }
  }
