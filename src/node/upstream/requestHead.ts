/** The head of a request as it goes on the wire of HTTP/1.1, up to the fields that frame its body. */
import { token } from "../../../protocols/http/token.ts"
import { FieldLines, Unwritable, unwritableValue } from "../http1/fieldLines.ts"

const unwritableTarget = /[^\x21-\x7e\x80-\xff]/

const fields = new FieldLines(["expect", "host"])

/** `flat` is a list of fields; its `content-length` and what belongs to connections stay out. */
export const requestHead = (
  method: string,
  target: string,
  authority: string,
  flat: ReadonlyArray<string>,
  upgrade: string | undefined,
): string => {
  if (method !== "GET" && method !== "POST" && !token.test(method)) throw new Unwritable("invalid method")
  if (target === "" || unwritableTarget.test(target)) throw new Unwritable("invalid request target")
  if (unwritableTarget.test(authority)) throw new Unwritable("invalid authority")
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`
  if (upgrade === undefined) head += "connection: keep-alive\r\n"
  else if (unwritableValue.test(upgrade)) throw new Unwritable("invalid field value")
  else head += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`
  return head + fields.write(flat)
}

export const trailerLines = (flat: ReadonlyArray<string>): string => fields.writeTrailers(flat)

/** Methods of which a recipient expects a body, so that none has to be told (RFC 9110 §8.6). */
export const expectsBody = (method: string): boolean =>
  method === "POST" ||
  method === "PUT" ||
  method === "PATCH" ||
  method === "QUERY" ||
  method === "PROPFIND" ||
  method === "PROPPATCH"
