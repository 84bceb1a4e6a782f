import { createHash } from "node:crypto"
import * as fc from "fast-check"
import { describe, it } from "vitest"
import { decode, encode } from "../../../protocols/mcp/header.ts"
import { NAME_CHARS_MAX, prefixed, prefixedUri, split, splitUri } from "../../../protocols/mcp/naming.ts"
import { rewriteError, rewriteResult, rewriteTold } from "../../../protocols/mcp/rewrite.ts"

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

/** Every place in which a server may name a resource, with one address in all of them. */
const places = (uri: string): ReadonlyArray<readonly [say: typeof rewriteResult, method: string, said: unknown]> => {
  const blocks = [
    { type: "resource_link", uri },
    { type: "resource", resource: { uri, text: "x" } },
  ]
  const sampling = { messages: blocks.flatMap((content) => [{ content }, { content: [content] }]) }
  const inputRequests = { one: { method: "sampling/createMessage", params: sampling } }
  const error: typeof rewriteResult = (_method, text, seen) => rewriteError(text, seen)
  return [
    [rewriteResult, "tools/list", { tools: [{ _meta: { ui: { resourceUri: uri } } }] }],
    [rewriteResult, "tools/list", { tools: [{ _meta: { "ui/resourceUri": uri } }] }],
    [rewriteResult, "tools/call", { content: blocks, inputRequests }],
    [rewriteResult, "tasks/result", { content: blocks }],
    [rewriteResult, "tasks/get", { result: { content: blocks } }],
    [rewriteResult, "prompts/get", { messages: blocks.map((content) => ({ content })), inputRequests }],
    [rewriteResult, "resources/list", { resources: [{ uri, name: "n" }] }],
    [rewriteResult, "resources/templates/list", { resourceTemplates: [{ uriTemplate: uri }] }],
    [rewriteResult, "resources/read", { contents: [{ uri, text: "x" }], inputRequests }],
    [rewriteTold, "notifications/resources/updated", { uri }],
    [rewriteTold, "sampling/createMessage", sampling],
    [error, "resources/read", { code: -32_602, data: { uri } }],
  ]
}

describe("addresses of many targets", () => {
  it("are what they are to clients in each place there is, once", () => {
    fc.assert(
      fc.property(target, uri, (whose, given) => {
        const seen = prefixedUri(whose, given)
        return places(given).every(([say, method, said], i) => {
          const expected = places(seen)[i]?.[2]
          return say(method, JSON.stringify(said), (one) => prefixedUri(whose, one)) === JSON.stringify(expected)
        })
      }),
    )
  })

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

/** Texts of any kind, and those that look as if they were encoded already. */
const anything = fc.string({ unit: "grapheme" })
const text = fc.oneof(
  anything,
  anything.map((inner) => `=?base64?${inner}?=`),
  fc.base64String().map((inner) => `=?base64?${inner}?=`),
  anything.map((inner) => ` ${inner}\t`),
)

describe("values in headers", () => {
  it("are read as they were written, whatever they are", () => {
    fc.assert(fc.property(text, (one) => decode(encode(one)) === one))
  })

  it("are fit for a header", () => {
    fc.assert(fc.property(text, (one) => /^[\x20-\x7e]*$/.test(encode(one))))
  })
})
