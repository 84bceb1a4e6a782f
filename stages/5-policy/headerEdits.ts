/** Fixed edits of headers, checked and sorted out once so that a request only pays for what is there. */
import type { HeaderEdits, HeaderValue } from "../../ir/policy/HeaderEdits.ts"
import type { Headers } from "../../protocols/http/headers.ts"

export interface FieldEdits {
  /** Flat lists, like the headers they go into. */
  readonly add: ReadonlyArray<string>
  readonly set: ReadonlyArray<string>
  readonly remove: ReadonlyArray<string>
}

/** Describe one connection or the frame of one message: the writer of a message alone knows them. */
const framing = new Set([
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

const named = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** What both versions of HTTP can carry: no control characters, and no character above Latin-1. */
const carried = /^[\t\x20-\x7e\x80-\xff]*$/

export const isCarried = (text: string): boolean => carried.test(text)

export const isName = (text: string): boolean => named.test(text)

/** Why a field cannot be written, whatever its value. */
export const complaintAbout = (name: string): string | undefined => {
  if (!isName(name)) return `${JSON.stringify(name)} is not the name of a header`
  return framing.has(name) ? `${name} belongs to the connection and cannot be set` : undefined
}

const complaint = (name: string, value: string): string | undefined => {
  const problem = complaintAbout(name)
  if (problem !== undefined) return problem
  return carried.test(value) ? undefined : `the value of ${name} cannot be carried in a header`
}

/**
 * The edits of ordinary fields, or why they cannot be made. Names that `takes` claims are not ordinary: it is told of
 * their values, and may complain.
 */
export const compileFields = (
  edits: HeaderEdits,
  takes: (name: string, value: string | undefined) => string | boolean,
): FieldEdits | string => {
  const lists = { add: Array<string>(), set: Array<string>(), remove: Array<string>() }
  for (const list of ["add", "set"] as const) {
    for (const { name, value } of edits[list] satisfies ReadonlyArray<HeaderValue>) {
      const taken = takes(name, value)
      if (taken === true) continue
      const problem = taken === false ? complaint(name, value) : taken
      if (problem !== undefined) return problem
      lists[list].push(name, value)
    }
  }
  for (const name of edits.remove) {
    const taken = takes(name, undefined)
    if (typeof taken === "string") return taken
    if (!taken) lists.remove.push(name)
  }
  return lists
}

export const isIdle = ({ add, remove, set }: FieldEdits): boolean =>
  add.length === 0 && set.length === 0 && remove.length === 0

/** Add, then set, then remove. */
export const applyFields = ({ add, remove, set }: FieldEdits, headers: Headers): void => {
  for (let i = 0; i < add.length; i += 2) headers.append(add[i] as string, add[i + 1] as string)
  for (let i = 0; i < set.length; i += 2) headers.set(set[i] as string, set[i + 1] as string)
  for (let i = 0; i < remove.length; i++) headers.remove(remove[i] as string)
}
