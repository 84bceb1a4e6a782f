/** `budgets`: what may be spent on models in a window of time. */
import * as Schema from "effect/Schema"
import type { Budget as IrBudget } from "../../../../ir/policy/Budget.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, Count, Millis, opt, req } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

export const Budgets = Schema.Array(
  Schema.Struct({
    name: Schema.NonEmptyString,
    key: opt(Cel, "Whoever has the same value shares it; all together unless set."),
    usd: opt(Schema.Finite.check(Schema.isGreaterThan(0, { message: "expected an amount above 0" }))),
    tokens: opt(Count),
    window: req(Millis, "Windows begin at multiples of it since 1970: `1h`, `24h`."),
    onExceeded: opt(anyCase(["reject", "warn"]), "`reject` unless set."),
    store: opt(anyCase(["database", "redis"]), "Where it is kept: `config.database` unless set, or `config.redis`."),
  }).annotate({ identifier: "Budget" }),
)
export type Budgets = typeof Budgets.Type

export const budgets = (all: Budgets, path: Path, to: Mapping): ReadonlyArray<IrBudget> => {
  const names = new Set<string>()
  return all.map((one, i) => {
    const at = [...path, i]
    if (names.has(one.name)) to.fail([...at, "name"], `two budgets are called \`${one.name}\``)
    names.add(one.name)
    if (one.usd === undefined && one.tokens === undefined) to.fail(at, "a budget limits `usd`, `tokens` or both")
    if (one.window <= 0) to.fail([...at, "window"], "the window is longer than nothing")
    if (one.store === "redis" && !to.names.hasRedis) {
      to.fail([...at, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
    }
    return {
      name: one.name,
      ...present({ key: one.key, usd: one.usd, tokens: one.tokens }),
      windowMillis: Math.max(1, one.window),
      hard: one.onExceeded !== "warn",
      ...(one.store === "redis" ? { store: "redis" as const } : {}),
    }
  })
}
