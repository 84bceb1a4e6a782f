import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { cookieIn, formatSetCookie, setCookie, withoutCookies } from "../../../protocols/http/cookies.ts"
import { formatHttpDate, parseHttpDate } from "../../../protocols/http/date.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { RETRY_HINT_MILLIS_MAX, retryHintMillis } from "../../../protocols/http/retryAfter.ts"
import { refuseUpgrade } from "../../../protocols/http/upgrade.ts"

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/)
const nasty = fc.string({ unit: fc.constantFrom("a", "b", "=", ";", ",", " ", '"', "\\", "\r", "\n", "\t", "é", "\0") })

type Edit = readonly ["set" | "append" | "remove", string, string]

describe("headers", () => {
  it("behave as a list of pairs under any edits", () => {
    const name = fc.constantFrom("a", "b", "c")
    const edit = fc.tuple(
      fc.constantFrom("set" as const, "append" as const, "remove" as const),
      name,
      fc.string({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), fc.array(edit), (fields, edits: ReadonlyArray<Edit>) => {
        let model: Array<readonly [string, string]> = [...fields]
        const headers = new Headers(fields.flat())
        for (const [kind, name, value] of edits) {
          const first = model.findIndex(([other]) => other === name)
          if (kind === "remove") {
            headers.remove(name)
            model = model.filter(([other]) => other !== name)
          } else if (kind === "append" || first < 0) {
            if (kind === "set") headers.set(name, value)
            else headers.append(name, value)
            model.push([name, value])
          } else {
            headers.set(name, value)
            model = model.flatMap((pair, i) =>
              i === first ? [[name, value] as const] : pair[0] === name ? [] : [pair],
            )
          }
        }
        return (
          same([...headers], model) &&
          ["a", "b", "c"].every((name) => {
            const values = model.filter(([other]) => other === name).map(([, value]) => value)
            return (
              same(headers.all(name), values) &&
              headers.get(name) === values[0] &&
              headers.has(name) === values.length > 0
            )
          })
        )
      }),
    )
  })
})

describe("cookies", () => {
  it("set is then found, and taken away leaves the others", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(token, { minLength: 1, maxLength: 6 }),
        fc.stringMatching(/^[A-Za-z0-9=/+._-]{0,10}$/),
        (names, value) => {
          const headers = new Headers()
          for (const name of names) if (!setCookie(headers, name, value)) return false
          const cookie = headers.get("cookie") ?? ""
          const [gone = "", ...left] = names
          const rest = withoutCookies(cookie, (name) => name === gone)
          return (
            names.every((name) => cookieIn(cookie, name) === value) &&
            cookieIn(rest, gone) === undefined &&
            left.every((name) => cookieIn(rest, name) === value)
          )
        },
      ),
    )
  })

  it("from any text: what was removed is no longer found, and nothing throws", () => {
    fc.assert(
      fc.property(nasty, fc.constantFrom("a", "b", "ab", ""), (text, name) => {
        cookieIn(text, name)
        return (
          cookieIn(
            withoutCookies(text, (other) => other === name),
            name,
          ) === undefined
        )
      }),
      { numRuns: 2000 },
    )
  })

  it("never smuggle an attribute", () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, (name, value, path) => {
        const text = formatSetCookie({ name, value, path })
        return text === undefined || (text.split(";").length === 2 && !/[\r\n\0]/.test(text))
      }),
    )
  })
})

describe("dates and hints", () => {
  it("a date read after it was written is the same second", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_300_799 }),
        (seconds) => parseHttpDate(formatHttpDate(seconds * 1000), 0) === seconds * 1000,
      ),
    )
  })

  it("a hint is a whole number within its bound, whatever the fields say", () => {
    const names = [
      "retry-after",
      "retry-after-ms",
      "x-ratelimit-reset",
      "x-ratelimit-reset-requests",
      "x-ratelimit-reset-tokens",
    ]
    const value = fc.oneof(
      fc.string(),
      fc.stringMatching(/^\d{1,16}(\.\d{1,3})?(ms|s|m|h)?$/),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), value)), fc.nat(), (fields, now) => {
        const hint = retryHintMillis(new Headers(fields.flat()), now)
        return hint === undefined || (Number.isInteger(hint) && hint >= 0 && hint <= RETRY_HINT_MILLIS_MAX)
      }),
    )
  })
})

describe("upgrade", () => {
  it("passes exactly when every chosen protocol was offered", () => {
    const protocols = fc.array(fc.constantFrom("a", "B", "b", "c/1"), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(protocols, protocols, (offered, chosen) => {
        const all = offered.map((name) => name.toLowerCase())
        return (
          (refuseUpgrade(offered.join(", "), chosen.join(",")) === undefined) ===
          chosen.every((name) => all.includes(name.toLowerCase()))
        )
      }),
    )
  })
})
