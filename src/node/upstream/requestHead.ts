/** The head of a request as it goes on the wire of HTTP/1.1, up to the fields that frame its body. */

/** Something in it would end a line early, or be another character for whoever reads it. */
export class Unwritable extends Error {}

const SENT = 0
/** The frame of the body is written by whoever writes the body. */
const LENGTH = 1
/** Belongs to a connection, should a policy have put it there. */
const LEFT_OUT = 2

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
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

/** How many names are remembered as fit to be written. */
const NAMES_MAX = 2_048
const kinds = new Map<string, number>()

const learn = (name: string): number => {
  if (!token.test(name)) throw new Unwritable("invalid field name")
  const kind = special.get(name.toLowerCase()) ?? SENT
  if (kinds.size >= NAMES_MAX) kinds.clear()
  kinds.set(name, kind)
  return kind
}

/** Fields come in the same order again and again, and comparing a name is cheaper than looking it up. */
const PLACES_MAX = 32
const namesBefore: Array<string> = Array.from({ length: PLACES_MAX }, () => "")
const kindsBefore: Array<number> = Array.from({ length: PLACES_MAX }, () => SENT)

const kindAt = (place: number, name: string): number => {
  if (place < PLACES_MAX && namesBefore[place] === name) return kindsBefore[place] as number
  const kind = kinds.get(name) ?? learn(name)
  if (place < PLACES_MAX) {
    namesBefore[place] = name
    kindsBefore[place] = kind
  }
  return kind
}

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
    if (kindAt(i >> 1, name) !== SENT) continue
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
