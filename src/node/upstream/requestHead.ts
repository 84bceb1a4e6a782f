/** The head of a request as it goes on the wire of HTTP/1.1, up to the fields that frame its body. */
import { KnownFields, places } from "../../../protocols/http/KnownFields.ts"
import { token } from "../../../protocols/http/token.ts"

/** Something in it would end a line early, or be another character for whoever reads it. */
export class Unwritable extends Error {}

const SENT = 0
/** The frame of the body is written by whoever writes the body. */
const LENGTH = 1
/** Belongs to a connection, should a policy have put it there. */
const LEFT_OUT = 2

const unwritableValue = /[^\t\x20-\x7e\x80-\xff]/
const unwritableTarget = /[^\x21-\x7e\x80-\xff]/

const special = new Map<string, number>([
  ["content-length", LENGTH],
  ["connection", LEFT_OUT],
  ["proxy-connection", LEFT_OUT],
  ["keep-alive", LEFT_OUT],
  ["transfer-encoding", LEFT_OUT],
  ["upgrade", LEFT_OUT],
  ["expect", LEFT_OUT],
  ["host", LEFT_OUT],
])

interface Writable {
  readonly spelling: string
  readonly kind: number
}

const known = new KnownFields((spelling): Writable => {
  if (!token.test(spelling)) throw new Unwritable("invalid field name")
  return { spelling, kind: special.get(spelling.toLowerCase()) ?? SENT }
})
const before = places<Writable>()

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
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] as string
    const value = flat[i + 1] as string
    if (known.at(before, i >> 1, name).kind !== SENT) continue
    if (unwritableValue.test(value)) throw new Unwritable("invalid field value")
    head += `${name}: ${value}\r\n`
  }
  return head
}

/** Trailers as they stand behind the last chunk; those that cannot be written are left out. */
export const trailerLines = (flat: ReadonlyArray<string>): string => {
  let lines = ""
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] as string
    const value = flat[i + 1] as string
    if (token.test(name) && !special.has(name) && !unwritableValue.test(value)) lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** Methods of which a recipient expects a body, so that none has to be told (RFC 9110 §8.6). */
export const expectsBody = (method: string): boolean =>
  method === "POST" ||
  method === "PUT" ||
  method === "PATCH" ||
  method === "QUERY" ||
  method === "PROPFIND" ||
  method === "PROPPATCH"
