/** Every function of the language, found by name, form and number of arguments. */
import { conversions } from "./functions/conversions.ts"
import type { CelFunction } from "./functions/define.ts"
import { encoding } from "./functions/encoding.ts"
import { general, views } from "./functions/general.ts"
import { ips } from "./functions/ips.ts"
import { math } from "./functions/math.ts"
import { strings } from "./functions/strings.ts"
import { times } from "./functions/times.ts"
import { HeaderView } from "./views.ts"

export type { CelFunction } from "./functions/define.ts"

const values: ReadonlyArray<CelFunction> = [
  ...strings,
  ...conversions,
  ...math,
  ...times,
  ...ips,
  ...encoding,
  ...general,
]

/** `join` and `split` are functions of headers as well as of lists and strings. */
const shared = (ofValue: CelFunction, ofHeaders: CelFunction): CelFunction => ({
  ...ofValue,
  signatures: [...ofValue.signatures, ...ofHeaders.signatures],
  make: (natives) => {
    const value = ofValue.make(natives)
    const headers = ofHeaders.make(natives)
    return (a, b, c, d) => (a instanceof HeaderView ? headers(a, b, c, d) : value(a, b, c, d))
  },
})

const byName = new Map<string, CelFunction>()
for (const one of values) {
  if (byName.has(one.name)) throw new Error(`Two functions are called ${one.name}`)
  byName.set(one.name, one)
}
for (const one of views) {
  const known = byName.get(one.name)
  byName.set(one.name, known === undefined ? one : shared(known, one))
}

export const functions: ReadonlyMap<string, CelFunction> = byName

/** Calls that look like functions but do not evaluate all their arguments, or read the variables themselves. */
export const specialForms: ReadonlySet<string> = new Set(["default", "coalesce", "variables", "or", "orValue"])
