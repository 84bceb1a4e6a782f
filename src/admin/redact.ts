/** Configuration as it may be shown: what is marked as secret, and what looks like one where free text is allowed. */
import * as Redacted from "effect/Redacted"
import { withoutCredentials } from "../telemetry/accessLog.ts"

const redacted = "<redacted>"

const sensitiveName =
  /authori[sz]ation|cookie|token|secret|passw|credential|signature|api[-_]?key|private[-_]?key|signing[-_]?keys?$|grant[-_]?keys?$|(?:^|[-_])(?:key|auth|pwd|sig)$/i

/** Where names are the user's own, so that a telling name is all there is to go by. */
const freeForm = new Set(["metadata", "claims"])

const privateKey = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/
const userInfo = /(:\/\/)[^/?#@\s"']+@/g
/** A credential behind its scheme, and not a sentence of ours about there being none. */
const scheme =
  /\b(bearer|basic|token)(\s+)(?!(?:found|missing|required|expected|expired|invalid|rejected|refused|presented|verification)\b)[\w.~+/=-]{6,}/gi
const knownShapes =
  /\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abprs]|agw_sk|AIza|AKIA|ASIA|ya29)[-_.]?[A-Za-z0-9_.-]{12,}/g
/** Private and symmetric members of a JSON Web Key. */
const keyMembers = /("(?:k|d|p|q|dp|dq|qi)"\s*:\s*)"[^"]*"/g
const webUrl = /^(?:https?:\/\/[^\s?#]+|\/[^\s?#]*)\?/i

export const redactText = (value: string): string => {
  if (privateKey.test(value)) return redacted
  let text = value.replace(userInfo, `$1${redacted}@`).replace(scheme, `$1$2${redacted}`).replace(knownShapes, redacted)
  if (text.includes('"kty"')) text = text.replace(keyMembers, `$1"${redacted}"`)
  const url = webUrl.exec(text)
  return url === null ? text : url[0] + withoutCredentials(text.slice(url[0].length))
}

const flag = /^--?[a-z][\w-]*$/i
const flagAndValue = /^(--?[a-z][\w-]*)=/i

/** Words for a program: behind a telling flag stands what it tells of. */
const redactWord = (word: string, before: unknown): string => {
  const [, own] = flagAndValue.exec(word) ?? []
  if (own !== undefined && sensitiveName.test(own)) return `${own}=${redacted}`
  const isTold = typeof before === "string" && flag.test(before) && sensitiveName.test(before) && !flag.test(word)
  return isTold ? redacted : redactText(word)
}

/** A copy that can be printed. */
export const redact = (value: unknown, sensitiveHeaders: ReadonlySet<string>, isFree = false): unknown => {
  if (typeof value === "string") return redactText(value)
  if (typeof value !== "object" || value === null) return value
  if (Redacted.isRedacted(value)) return redacted
  if (Array.isArray(value)) {
    return value.map((one, i) =>
      typeof one === "string" ? redactWord(one, value[i - 1]) : redact(one, sensitiveHeaders, isFree),
    )
  }
  if (value instanceof Map) return redact(Object.fromEntries(value), sensitiveHeaders, isFree)
  if (value instanceof Uint8Array) return redacted
  const name = "name" in value && typeof value.name === "string" ? value.name : undefined
  const holdsSecret = name !== undefined && (sensitiveName.test(name) || sensitiveHeaders.has(name.toLowerCase()))
  const copy: Record<string, unknown> = {}
  for (const [key, one] of Object.entries(value)) {
    const hidden =
      (holdsSecret && (key === "value" || key === "expression")) ||
      (isFree && sensitiveName.test(key)) ||
      key === "sha256"
    copy[key] = hidden ? redacted : redact(one, sensitiveHeaders, isFree || freeForm.has(key))
  }
  return copy
}
