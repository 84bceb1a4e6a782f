import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Redacted from "effect/Redacted"
import { Headers } from "../../../protocols/http/headers.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { safeTarget } from "../../../stages/5-policy/oidc/navigation.ts"
import { Cookies, PART_CHARS_MAX, PARTS_MAX, type Session } from "../../../stages/5-policy/oidc/Session.ts"

const key = Redacted.make("ab".repeat(32))
const cookies = new Cookies("policy/a", key, true, cryptography)

/** A browser's one line, from what it was told to keep. */
const sent = (...told: ReadonlyArray<string>): Headers => {
  const jar = new Map<string, string>()
  for (const line of told) {
    const [pair = "", ...attributes] = line.split("; ")
    const at = pair.indexOf("=")
    if (attributes.includes("Max-Age=0")) jar.delete(pair.slice(0, at))
    else jar.set(pair.slice(0, at), pair.slice(at + 1))
  }
  return new Headers(["cookie", [...jar].map((pair) => pair.join("=")).join("; ")])
}

const session: fc.Arbitrary<Session> = fc.record({
  idToken: fc.integer({ min: 0, max: 12_000 }).map((n) => "t".repeat(n)),
  refreshToken: fc.string({ unit: "grapheme", maxLength: 50 }),
  freshMillis: fc.constant(2_000),
  endsMillis: fc.constant(3_000),
})

const set = (one: Session, had = 0): ReadonlyArray<string> => {
  const lines = cookies.session(one, 1000, had)
  if (lines === undefined) throw new Error("too large")
  return lines
}

describe("a session in cookies", () => {
  it("comes back as it went, in parts that any browser keeps", () => {
    fc.assert(
      fc.property(session, (one) => {
        const lines = set(one)
        assert.isAtMost(lines.length, PARTS_MAX)
        for (const line of lines) assert.isAtMost(line.length, PART_CHARS_MAX + 200)
        assert.deepStrictEqual(cookies.readSession(sent(...lines)), one)
      }),
    )
  })

  it("is never mixed with the one before it", () => {
    fc.assert(
      fc.property(session, session, (before, after) => {
        const first = set(before)
        const second = set(after, cookies.had(sent(...first)))
        assert.deepStrictEqual(cookies.readSession(sent(...first, ...second)), after)
        const forgotten = cookies.forgetting(sent(...first, ...second))
        assert.strictEqual(cookies.had(sent(...first, ...second, ...forgotten)), 0)
      }),
    )
  })

  it("that was changed in any place is none", () => {
    fc.assert(
      fc.property(session, fc.nat(), fc.nat(63), (one, place, letter) => {
        const lines = set(one)
        const headers = sent(...lines)
        const line = headers.flat[1] ?? ""
        const at = line.indexOf(".") + 1 + (place % 40)
        const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        const changed = line.slice(0, at) + (alphabet[letter] ?? "A") + line.slice(at + 1)
        fc.pre(changed !== line)
        assert.isUndefined(cookies.readSession(new Headers(["cookie", changed])))
      }),
    )
  })

  it("of another policy, or sealed with another key, is none", () => {
    fc.assert(
      fc.property(session, (one) => {
        const headers = sent(...set(one))
        const strangers = new Cookies("policy/a", Redacted.make("cd".repeat(32)), true, cryptography)
        assert.isUndefined(strangers.readSession(headers))
        const others = new Cookies("policy/b", key, true, cryptography)
        const renamed = (headers.flat[1] ?? "").replaceAll(cookies.sessionName, others.sessionName)
        assert.isUndefined(others.readSession(new Headers(["cookie", renamed])))
      }),
    )
  })

  it("is made of nothing that somebody else wrote", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        assert.isUndefined(cookies.readSession(new Headers(["cookie", `${cookies.sessionName}=${text}`])))
      }),
    )
  })
})

describe("where a browser is sent back to", () => {
  it("is on the host where it was", () => {
    const piece = fc.constantFrom(
      "/",
      "\\",
      "%2f",
      "%5c",
      "%2F",
      "%25",
      "2f",
      "5c",
      ".",
      "..",
      "a",
      "@",
      ":",
      "//",
      "?",
      "#",
      "evil.example",
      "%",
      "%00",
      "\t",
      " ",
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const target = safeTarget({ method: "GET", target: `/${pieces.join("")}` })
        for (let text = target, i = 0; i < 3; i++) {
          for (const reading of [text, text.replaceAll("\\", "/")]) {
            assert.strictEqual(new URL(reading, "http://here.example").host, "here.example", target)
          }
          try {
            text = decodeURIComponent(text)
          } catch {
            break
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})
