import { createHash } from "node:crypto"
import * as fc from "fast-check"
import { describe, it } from "vitest"
import { decode, encode } from "../../../protocols/mcp/header.ts"
import { NAME_CHARS_MAX, prefixed, prefixedUri, split, splitUri } from "../../../protocols/mcp/naming.ts"
import { rewriteResult } from "../../../protocols/mcp/rewrite.ts"

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")
const target = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/)
const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/)
const uri = fc
  .tuple(fc.stringMatching(/^[a-z][a-z0-9+.-]{0,8}$/), fc.webPath())
  .filter(([scheme]) => scheme !== "http" && scheme !== "https")
  .map(([scheme, path]) => `${scheme}://${path}`)

describe("names of many targets", () => {
  it("lead back to their target and the name it gave", () => {
    fc.assert(
      fc.property(target, name, (whose, given) => {
        const parts = split(prefixed(whose, given, digest))
        return parts?.target === whose && parts.name === given
      }),
    )
  })

  it("are never longer than clients take, and differ where the names differ", () => {
    const long = fc.stringMatching(/^[a-z_]{100,300}$/)
    fc.assert(
      fc.property(target, long, long, (whose, one, other) => {
        const [a, b] = [prefixed(whose, one, digest), prefixed(whose, other, digest)]
        return a.length <= NAME_CHARS_MAX && (one === other) === (a === b)
      }),
    )
  })
})

describe("addresses of many targets", () => {
  it("lead back to their target and the address it gave, in every position", () => {
    fc.assert(
      fc.property(target, uri, (whose, given) => {
        const seen = prefixedUri(whose, given)
        const parts = splitUri(seen)
        const result = JSON.stringify({
          content: [
            { type: "resource_link", uri: given },
            { type: "resource", resource: { uri: given } },
          ],
        })
        const rewritten = JSON.parse(rewriteResult("tools/call", result, (one) => prefixedUri(whose, one))) as {
          content: [{ uri: string }, { resource: { uri: string } }]
        }
        return (
          parts?.target === whose &&
          parts.uri === given &&
          rewritten.content[0].uri === seen &&
          rewritten.content[1].resource.uri === seen
        )
      }),
    )
  })

  it("of the web stay as they are", () => {
    fc.assert(fc.property(target, fc.webUrl(), (whose, given) => prefixedUri(whose, given) === given))
  })
})

describe("values in headers", () => {
  it("are read as they were written, whatever they are", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => decode(encode(text)) === text))
  })

  it("are fit for a header", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => /^[\x20-\x7e]*$/.test(encode(text))))
  })
})
