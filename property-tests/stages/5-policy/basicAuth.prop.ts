import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { parse } from "../../../protocols/http/htpasswd.ts"
import { CREDENTIAL_CHARS_MAX, decode } from "../../../stages/5-policy/basicAuth.ts"

it("what a client encodes is what is decoded", () => {
  const name = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[:\p{Cc}]/u.test(text))
  const password = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text))
  fc.assert(
    fc.property(name, password, (user, password) => {
      const credential = Buffer.from(`${user}:${password}`).toString("base64")
      assert.deepStrictEqual(decode(credential), { user, password })
    }),
    { numRuns: 500 },
  )
})

it("whatever comes is decoded or is not, without a complaint", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      const decoded = decode(text)
      if (decoded === undefined) return
      assert.isBelow(text.length, CREDENTIAL_CHARS_MAX + 1)
      assert.isFalse(decoded.user.includes(":"))
    }),
    { numRuns: 1000 },
  )
})

it("every line of an htpasswd file is a user, a problem, or nothing", () => {
  const line = fc.oneof(
    fc.constantFrom("", "# a", "a", "a:b", "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "b:$1$x$y", ":", "c:{SHA}"),
    fc.string({ maxLength: 20 }).filter((text) => !text.includes("\n")),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      const { problems, users } = parse(lines.join("\n"))
      const said = lines.filter((one) => one.trim() !== "" && !one.trim().startsWith("#"))
      assert.strictEqual(users.size + problems.length, said.length)
    }),
    { numRuns: 1000 },
  )
})
