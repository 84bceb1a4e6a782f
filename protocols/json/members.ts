/**
 * Changes single members of a JSON object as bytes, so that everything else in it stays as it was written: unknown
 * fields, the order of names, numbers beyond what a double can hold. The text is known to be JSON.
 */
import { join } from "../bytes.ts"

export interface Member {
  readonly name: string
  /** Where its name begins, and where its value begins and ends. */
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

const afterSpace = (bytes: Uint8Array, at: number): number => {
  let i = at
  while (isSpace(bytes[i])) i++
  return i
}

/** The end of a string that begins at `at`, quotes included. */
const afterString = (bytes: Uint8Array, at: number): number => {
  let i = at + 1
  for (;;) {
    const end = bytes.indexOf(quote, i)
    if (end < 0) return bytes.byteLength
    let slashes = 0
    for (let j = end - 1; j > at && bytes[j] === backslash; j--) slashes++
    if (slashes % 2 === 0) return end + 1
    i = end + 1
  }
}

const afterValue = (bytes: Uint8Array, at: number): number => {
  if (bytes[at] === quote) return afterString(bytes, at)
  let depth = 0
  let i = at
  while (i < bytes.byteLength) {
    const byte = bytes[i]
    if (byte === quote) {
      i = afterString(bytes, i)
      continue
    }
    if (byte === openBrace || byte === openBracket) depth++
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) return i
      depth--
      if (depth === 0) return i + 1
    } else if (depth === 0 && (byte === comma || isSpace(byte))) return i
    i++
  }
  return i
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** The members of the outermost object; none where the text is no object. */
export const membersOf = (bytes: Uint8Array): ReadonlyArray<Member> => {
  const members: Array<Member> = []
  let i = afterSpace(bytes, bytes[0] === 0xef ? 3 : 0)
  if (bytes[i] !== openBrace) return members
  i = afterSpace(bytes, i + 1)
  while (i < bytes.byteLength && bytes[i] === quote) {
    const start = i
    const nameEnd = afterString(bytes, i)
    const name = JSON.parse(decoder.decode(bytes.subarray(start, nameEnd))) as string
    const valueStart = afterSpace(bytes, afterSpace(bytes, nameEnd) + 1)
    const valueEnd = afterValue(bytes, valueStart)
    members.push({ name, start, valueStart, valueEnd })
    i = afterSpace(bytes, valueEnd)
    if (bytes[i] !== comma) break
    i = afterSpace(bytes, i + 1)
  }
  return members
}

/** Sets members to JSON texts; those that are not there yet come last. `undefined` takes a member out. */
export const withMembers = (bytes: Uint8Array, edits: ReadonlyMap<string, string | undefined>): Uint8Array => {
  if (edits.size === 0) return bytes
  const members = membersOf(bytes)
  const parts: Array<Uint8Array> = []
  const added = new Set(edits.keys())
  const open = bytes.indexOf(openBrace)
  let from = open + 1
  let kept = 0
  parts.push(bytes.subarray(0, from))
  for (const [i, { name, start, valueEnd, valueStart }] of members.entries()) {
    const next = members[i + 1]
    if (edits.has(name)) {
      const text = edits.get(name)
      added.delete(name)
      if (text === undefined) {
        // Its comma goes with it: the one after it, or, for the last of several, the one that was kept before it.
        parts.push(bytes.subarray(from, start))
        from = next === undefined ? valueEnd : next.start
        continue
      }
      parts.push(bytes.subarray(from, valueStart), encoder.encode(text))
    } else parts.push(bytes.subarray(from, valueEnd))
    from = valueEnd
    kept++
  }
  let body = join(parts)
  const tail = bytes.subarray(from)
  if (kept < members.length || members.length === 0) body = withoutTrailingComma(body)
  const more: Array<Uint8Array> = [body]
  for (const name of added) {
    const text = edits.get(name)
    if (text === undefined) continue
    more.push(encoder.encode(`${kept++ === 0 ? "" : ","}${JSON.stringify(name)}:${text}`))
  }
  more.push(tail)
  return join(more)
}

const withoutTrailingComma = (bytes: Uint8Array): Uint8Array => {
  let end = bytes.byteLength
  while (end > 0 && isSpace(bytes[end - 1])) end--
  return bytes[end - 1] === comma ? bytes.subarray(0, end - 1) : bytes
}
