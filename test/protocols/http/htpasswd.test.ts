import { assert, it } from "@effect/vitest"
import { parse } from "../../../protocols/http/htpasswd.ts"

const bcrypt = "$2y$04$abcdefghijklmnopqrstuOabcdefghijklmnopqrstuvwxyzABCDE"
const apr1 = "$apr1$abcdefgh$rRdIxwY5XRHT4TMtBPZn.0"
const sha = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="

it("reads users, and skips what is no line", () => {
  const { problems, users } = parse(`# people\r\nann:${bcrypt}\r\n\r\n  bob:${apr1}  \ncarl:${sha}\n`)
  assert.deepStrictEqual(problems, [])
  assert.deepStrictEqual(
    [...users],
    [
      ["ann", bcrypt],
      ["bob", apr1],
      ["carl", sha],
    ],
  )
})

const refused: ReadonlyArray<readonly [line: string, message: string]> = [
  ["nobody", "expected `user:hash`"],
  [":hash", "expected `user:hash`"],
  ["a:$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "an MD5 hash of Unix crypt"],
  ["a:$5$salt$x", "a SHA-256 hash of Unix crypt"],
  ["a:$6$salt$x", "a SHA-512 hash of Unix crypt"],
  ["a:$y$j9T$x$y", "a yescrypt or scrypt hash of Unix crypt"],
  ["a:$argon2id$v=19$x", "an Argon2 hash"],
  ["a:{SSHA}abc", "a hash of a directory server"],
  ["a:rqXexS6ZhobKA", "a DES hash of Unix crypt, or a password in plain text"],
  ["a:password", "no hash that is known"],
  ["a:", "no hash that is known"],
  [`a:${bcrypt.slice(0, -1)}`, "a bcrypt hash that is not complete"],
  [`a:${bcrypt}x`, "a bcrypt hash that is not complete"],
  [`a:${bcrypt.replace("$04$", "$03$")}`, "a bcrypt hash with a cost below 4"],
  [`a:${bcrypt.replace("$04$", "$17$")}`, "a bcrypt hash with a cost above 16"],
  [`a:${apr1}:more`, "an APR1 hash that is not complete"],
  ["a:{SHA}abc", "a {SHA} hash that is not complete"],
]

it("says of every line that is no user why, and where", () => {
  const { problems, users } = parse(refused.map(([line]) => line).join("\n"))
  assert.strictEqual(users.size, 0)
  assert.deepStrictEqual(
    problems,
    refused.map(([, message], i) => ({ line: i + 1, message })),
  )
})

it("a name is taken once", () => {
  assert.deepStrictEqual(parse(`a:${sha}\na:${apr1}`).problems, [{ line: 2, message: 'the user "a" is there already' }])
})
