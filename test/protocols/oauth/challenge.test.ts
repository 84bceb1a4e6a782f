import { describe, expect, it } from "vitest"
import { challengeIn, scopesOf } from "../../../protocols/oauth/challenge.ts"

describe("what a server says of the token it wants", () => {
  it("is read from the Bearer challenge, wherever it stands", () => {
    const wanted = {
      error: "insufficient_scope",
      scopes: ["a", "b"],
      resourceMetadata: "https://x.example/.well-known/p",
    }
    for (const field of [
      'Bearer error="insufficient_scope", scope="a b", resource_metadata="https://x.example/.well-known/p"',
      'bearer   resource_metadata="https://x.example/.well-known/p",scope="a  b a",error=insufficient_scope',
      'Basic realm="x, Bearer scope=\\"no\\"", Bearer error="insufficient_scope" , scope="a b", resource_metadata="https://x.example/.well-known/p"',
      'Negotiate YWJj==, Bearer error="insufficient_scope", scope="a b", resource_metadata="https://x.example/.well-known/p", DPoP algs="ES256", scope="c"',
    ]) {
      expect(challengeIn(field), field).toEqual(wanted)
    }
  })

  it("may be next to nothing", () => {
    const nothing = { error: undefined, scopes: undefined, resourceMetadata: undefined }
    expect(challengeIn("Bearer")).toEqual(nothing)
    expect(challengeIn('Bearer realm="x"')).toEqual(nothing)
    expect(challengeIn("Bearer, Basic realm=x")).toEqual(nothing)
    expect(challengeIn(undefined)).toBeUndefined()
    expect(challengeIn("Basic realm=x")).toBeUndefined()
    expect(challengeIn("")).toBeUndefined()
  })

  it("is what it can be where the field is broken off, and the first of two", () => {
    expect(challengeIn('Bearer scope="a", resource_metadata="https://x')).toMatchObject({
      scopes: ["a"],
      resourceMetadata: undefined,
    })
    expect(challengeIn('Bearer scope="a", scope="b"')?.scopes).toEqual(["a"])
    expect(challengeIn('Bearer error="a\\"b"')?.error).toBe('a"b')
  })

  it("holds no scopes that are none", () => {
    expect(scopesOf('ok "bad" back\\slash ok other')).toEqual(["ok", "other"])
  })
})
