import { describe, expect, it } from "vitest"
import { redact } from "../../src/admin/redact.ts"

const shown = (value: unknown, isFree = false): unknown => redact(value, new Set(["x-mine"]), isFree)

describe("what may be shown of a configuration", () => {
  it("has none of the words that a program is given behind a telling flag", () => {
    expect(
      shown(["--port", "80", "--token", "abc", "--password=abc", "-k", "--api-key", "--verbose", "secret"]),
    ).toEqual([
      "--port",
      "80",
      "--token",
      "<redacted>",
      "--password=<redacted>",
      "-k",
      "--api-key",
      "--verbose",
      "secret",
    ])
  })

  it("has no credential in the query of a path", () => {
    expect(shown({ path: "/mcp?api_key=abc&shown=1" })).toEqual({ path: "/mcp?api_key=<redacted>&shown=1" })
    expect(shown({ path: "/a?b=c" })).toEqual({ path: "/a?b=c" })
  })

  it("has no keys, one or several, whatever they seal", () => {
    const file = { mcp: { grantKeys: ["abc"] }, signingKey: "abc", relaySigningKey: "abc", keys: [{ keyId: "a" }] }
    expect(shown(file, true)).toEqual({
      mcp: { grantKeys: "<redacted>" },
      signingKey: "<redacted>",
      relaySigningKey: "<redacted>",
      keys: [{ keyId: "a" }],
    })
  })
})
