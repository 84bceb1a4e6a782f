import { expect, it } from "vitest"
import { respond } from "../../../src/node/downstream/respond.ts"

it("replies have their fields also where Node does not take them in turn, those of one name in order", () => {
  const told: Array<unknown> = []
  const old = {
    respond: (fields: unknown): void => {
      if (Array.isArray(fields)) throw Object.assign(new TypeError("an object"), { code: "ERR_INVALID_ARG_TYPE" })
      told.push({ ...(fields as object) })
    },
  }
  const flat = [":status", "200", "set-cookie", "a", "x", "y", "set-cookie", "b"]
  for (const options of [{ endStream: true }, {}]) respond(old, flat, options)
  const fields = { ":status": ["200"], "set-cookie": ["a", "b"], x: ["y"] }
  expect(told).toEqual([fields, fields])
})

it("a field that cannot be sent stays an error", () => {
  const strict = {
    respond: (): void => {
      throw Object.assign(new TypeError("no"), { code: "ERR_INVALID_CHAR" })
    },
  }
  expect(() => respond(strict, ["x", "\n"], {})).toThrow("no")
})
