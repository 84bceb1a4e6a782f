/** Keys that tokens are checked with. */
import { createPublicKey, type webcrypto } from "node:crypto"
import type { Document } from "../../../../ir/policy/Document.ts"
import { locate } from "../../../../protocols/http/locate.ts"
import { parse as parseKeys, withoutKeys } from "../../../../protocols/jose/jwks.ts"
import type { Path } from "../../ConfigIssue.ts"
import { document, type FileInlineOrRemote } from "../FileOrInline.ts"
import type { Mapping } from "../Mapping.ts"

/** A key set that can be used, or a place where there may be one. */
export const keySet = (source: FileInlineOrRemote, path: Path, to: Mapping): Document | undefined => {
  const found = document(source, path, to)
  if (found?._tag === "Remote") {
    const at = locate(found.url)
    const where = [...path, "url"]
    if (at === undefined) return to.fail(where, "expected an http or https URL without user information")
    if (at.scheme === "http" && !/^(?:localhost|127\.[\d.]+|::1)$/.test(at.host)) {
      to.warn(where, "keys that come over plain http can be replaced on the way", "Use https.")
    }
  } else if (found !== undefined) {
    const keys = parseKeys(found.text)
    if (keys === withoutKeys) {
      to.warn(path, "there are no keys, so no token is good", "Put keys in, or say where they are: `{url: …}`.")
      return found
    }
    if (typeof keys === "string") return to.fail(path, `this is no key set: ${keys}`)
    for (const why of keys.ignored) to.warn(path, `${why}; it is not used`)
    for (const [i, { jwk, kid }] of keys.keys.entries()) {
      try {
        createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: "jwk" })
      } catch {
        return to.fail(path, `key ${kid === undefined ? `number ${i + 1}` : JSON.stringify(kid)} is no key`)
      }
    }
  }
  return found
}
