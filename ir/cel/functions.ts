/** Every function of the language, found by name, form and number of arguments. */
import { isList } from "./CelValue.ts"
import { conversions } from "./functions/conversions.ts"
import { type CelFunction, define, noOverload } from "./functions/define.ts"
import { encoding } from "./functions/encoding.ts"
import { general } from "./functions/general.ts"
import { ips } from "./functions/ips.ts"
import { math } from "./functions/math.ts"
import { strings } from "./functions/strings.ts"
import { times } from "./functions/times.ts"
import { HeaderView } from "./views.ts"

export type { CelFunction } from "./functions/define.ts"

const all: ReadonlyArray<CelFunction> = [...strings, ...conversions, ...math, ...times, ...ips, ...encoding, ...general]

/** `join` is the one name that two receivers share: lists of strings and headers. */
const joining = (lists: CelFunction): CelFunction => {
  const headers = define(["headers.join() -> headers"], (value) => (value instanceof HeaderView ? value.with("joined") : noOverload("join", value)))
  return {
    ...lists,
    signatures: [...lists.signatures, ...headers.signatures],
    make: (natives) => {
      const ofList = lists.make(natives)
      return (value, by, c, d) => (value instanceof HeaderView && !isList(value) ? value.with("joined") : ofList(value, by, c, d))
    }
  }
}

export const functions: ReadonlyMap<string, CelFunction> = new Map(
  all.map((one) => [one.name, one.name === "join" ? joining(one) : one] as const)
)

/** Calls that look like functions but do not evaluate all their arguments, or read the variables themselves. */
export const specialForms: ReadonlySet<string> = new Set(["default", "coalesce", "variables", "or", "orValue"])
