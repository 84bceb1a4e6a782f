import { describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { challengeIn, scopesOf } from "../../protocols/oauth/challenge.ts"
import { covers } from "../../protocols/oauth/resource.ts"

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`
const printable = Schema.String.check(Schema.isPattern(/^[\x20-\x7e]{0,40}$/))
const word = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9:._-]{0,12}$/))

describe("challenges", () => {
  it.prop(
    "reading what was written gives what was meant",
    { error: printable, metadata: printable, realm: printable },
    ({ error, metadata, realm }) => {
      const field = `Basic realm=${quoted(realm)}, Bearer error=${quoted(error)}, resource_metadata=${quoted(metadata)}`
      assert.deepStrictEqual(challengeIn(field), { error, scopes: undefined, resourceMetadata: metadata })
    },
  )
  it.prop("any field at all is read in the end, and never throws", { field: Schema.String }, ({ field }) => {
    challengeIn(field)
    challengeIn(`Bearer ${field}`)
  })
  it.prop("scopes are each there once, in the order they were named", { scopes: Schema.Array(word) }, ({ scopes }) => {
    assert.deepStrictEqual(scopesOf([...scopes, ...scopes].join(" ")), [...new Set(scopes)])
  })
})

describe("resources", () => {
  it.prop(
    "no resource of one host speaks for a server of another",
    { a: word, b: word, path: word },
    ({ a, b, path }) => {
      if (a === b) return
      assert.isFalse(
        covers(
          `https://${a.replace(/[^a-z0-9]/g, "x")}.a.example/${path}`,
          `https://${b.replace(/[^a-z0-9]/g, "x")}.b.example/${path}`,
        ),
      )
    },
  )
})
