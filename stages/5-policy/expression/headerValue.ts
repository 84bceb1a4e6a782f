/** What a result becomes as the value of a header. */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { toHeaderValue } from "../../../ir/cel/toJson.ts"
import { isCarried } from "../headerEdits.ts"

/** Undefined: there is no such value, or no version of HTTP could carry it. */
export const headerValue = (value: CelValue): string | undefined => {
  const text = toHeaderValue(value)
  return text !== undefined && isCarried(text) ? text : undefined
}
