/** What the gateway makes itself has a tag over its bytes, and says what it depends on. */
import { namesTag, tagOf } from "../../../protocols/http/etag.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import { forwardedFields } from "./outside.ts"

const addVary = (headers: Headers, names: ReadonlyArray<string>): void => {
  const present = headers.all("vary").join(", ")
  if (present.trim() === "*") return
  const missing = names.filter((name) => !present.toLowerCase().includes(name))
  if (missing.length > 0) headers.set("vary", [...(present === "" ? [] : [present]), ...missing].join(", "))
}

/** The reply with its tag, or 304 for a client that has it already. */
export const conditional = (request: Request, reply: Reply): Reply => {
  if (reply.body._tag !== "Bytes") return reply
  const tag = tagOf(reply.body.bytes)
  reply.headers.set("etag", tag)
  addVary(reply.headers, forwardedFields)
  const asked = request.headers.get("if-none-match")
  if (asked === undefined || !namesTag(asked, tag)) return reply
  for (const name of ["content-length", "content-type"]) reply.headers.remove(name)
  return { status: 304, headers: reply.headers, body: Body.empty, origin: reply.origin }
}
