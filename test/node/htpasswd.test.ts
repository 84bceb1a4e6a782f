import { assert, describe, it } from "@effect/vitest"
import { compareSync, hashSync } from "bcryptjs"
import { apr1, isPassword } from "../../src/node/htpasswd.ts"

/** As `openssl passwd -apr1` makes them. */
const known: ReadonlyArray<readonly [password: string, hash: string]> = [
  ["pässword", "$apr1$abcdefgh$rRdIxwY5XRHT4TMtBPZn.0"],
  ["", "$apr1$xx$aGHxR9NsG1buO7l/rFJjm1"],
  ["a".repeat(100), "$apr1$12345678$XUgawe9rI.Q.pC4iat45x/"],
  ["myPassword", "$apr1$R8e./x$SkTrnk6QZ9ULmcNJzyxLv0"],
  ["exactly sixteen!", "$apr1$zzzzzzzz$z0A1SSjeJuPyUHP3TnqcZ."],
]

const is = (password: string, hash: string) => isPassword(password, hash, compareSync)

describe("a password", () => {
  it("is known by its APR1 hash", () => {
    for (const [password, hash] of known) {
      assert.strictEqual(apr1(password, hash.split("$")[2] ?? ""), hash)
      assert.isTrue(is(password, hash))
      assert.isFalse(is(`${password} `, hash))
    }
  })

  it("is known by its SHA-1", () => {
    assert.isTrue(is("password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="))
    assert.isFalse(is("Password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="))
  })

  it("is known by its bcrypt hash, whichever letter that has", () => {
    const hash = hashSync("pässword", 4)
    for (const letter of "abxy") {
      const written = hash.replace(/^\$2.\$/, `$2${letter}$`)
      assert.isTrue(is("pässword", written), letter)
      assert.isFalse(is("password", written), letter)
    }
  })
})
