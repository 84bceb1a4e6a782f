/**
 * JSON text, cut into its members without being rewritten: what nobody changes is passed on in the very characters it
 * came in, so big numbers, unknown members and the spelling of everything survive a relay.
 */

/** The text of one JSON value. */
export type Json = string

/** How deep values may be nested. */
export const JSON_DEPTH_MAX = 128

/** The index behind the text that begins at a quotation mark. */
const endOfString = (text: string, start: number): number => {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end < 0) return text.length
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

const skipSpace = (text: string, start: number): number => {
  // Most texts have no space where it means nothing.
  if (text.charCodeAt(start) > 0x20) return start
  let at = start
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** The index behind the value that begins here; the text must be valid JSON. */
const endOfValue = (text: string, start: number): number => {
  const first = text.charCodeAt(start)
  if (first === 0x22) return endOfString(text, start)
  if (first !== 0x7b && first !== 0x5b) {
    let at = start
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x2c || code === 0x7d || code === 0x5d || isSpace(code)) break
    }
    return at
  }
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at) - 1
    else if (code === 0x7b || code === 0x5b) depth++
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return at + 1
  }
  return text.length
}

/** Whether the values of a valid text are nested deeper than that. Most texts are too short for it, or open too little. */
export const isDeeperThan = (text: Json, max: number): boolean => {
  if (text.length <= 2 * max) return false
  let opened = 0
  for (const opener of ["{", "["]) {
    for (let at = text.indexOf(opener); at >= 0 && opened <= max; at = text.indexOf(opener, at + 1)) opened++
  }
  return opened > max && depthOf(text) > max
}

/** How deep the values of a text are nested. */
export const depthOf = (text: Json): number => {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at) - 1
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

/** Whether it is the text of one JSON value. */
export const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Whether the text is that of an object. */
export const isObject = (text: Json | undefined): text is Json =>
  text !== undefined && text.charCodeAt(skipSpace(text, 0)) === 0x7b

/** The text itself, where it stands for a string. */
export const asString = (text: Json | undefined): string | undefined => {
  if (text === undefined || text.charCodeAt(0) !== 0x22) return undefined
  return text.includes("\\") ? (JSON.parse(text) as string) : text.slice(1, -1)
}

/** The number, where it stands for one. */
export const asNumber = (text: Json | undefined): number | undefined => {
  if (text === undefined || !/^-?\d/.test(text)) return undefined
  return Number(text)
}

/** The elements of an array, each in its own text; undefined where it is none. */
export const itemsOf = (text: Json | undefined): ReadonlyArray<Json> | undefined => {
  if (text === undefined || text.charCodeAt(0) !== 0x5b) return undefined
  const items: Array<Json> = []
  let at = skipSpace(text, 1)
  while (at < text.length && text.charCodeAt(at) !== 0x5d) {
    const end = endOfValue(text, at)
    items.push(text.slice(at, end))
    at = skipSpace(text, end)
    if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1)
  }
  return items
}

export const arrayOf = (items: ReadonlyArray<Json>): Json => `[${items.join(",")}]`

/** One text is looked into by one part of the gateway after the other; a long one is not kept for that. */
const LAST_CHARS_MAX = 4_096
let lastText: Json | undefined
let last: Fields | undefined

/** An object by its members, each in its own text. It is never changed; what changes a member gives another one. */
export class Fields {
  static readonly empty = new Fields(new Map())

  private readonly members: ReadonlyMap<string, Json>
  /** Members that were looked into, since whoever looks into one does so again and again. */
  private inner: Map<string, Fields | undefined> | undefined = undefined

  private constructor(members: ReadonlyMap<string, Json>) {
    this.members = members
  }

  /** Undefined where the text is not that of an object. It must be valid JSON. */
  static parse(text: Json | undefined): Fields | undefined {
    if (text === undefined) return undefined
    if (text === lastText) return last
    const fields = Fields.cut(text)
    if (text.length <= LAST_CHARS_MAX) {
      lastText = text
      last = fields
    }
    return fields
  }

  private static cut(text: Json): Fields | undefined {
    let at = skipSpace(text, 0)
    if (text.charCodeAt(at) !== 0x7b) return undefined
    const members = new Map<string, Json>()
    at = skipSpace(text, at + 1)
    while (at < text.length && text.charCodeAt(at) === 0x22) {
      const nameEnd = endOfString(text, at)
      const name = asString(text.slice(at, nameEnd)) as string
      const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
      const end = endOfValue(text, start)
      members.set(name, text.slice(start, end))
      at = skipSpace(text, end)
      if (text.charCodeAt(at) === 0x2c) at = skipSpace(text, at + 1)
    }
    return new Fields(members)
  }

  static of(members: Readonly<Record<string, Json | undefined>>): Fields {
    const made = new Map<string, Json>()
    for (const name of Object.keys(members)) {
      const text = members[name]
      if (text !== undefined) made.set(name, text)
    }
    return new Fields(made)
  }

  get(name: string): Json | undefined {
    return this.members.get(name)
  }

  has(name: string): boolean {
    return this.members.has(name)
  }

  /** A member that is a string. */
  string(name: string): string | undefined {
    return asString(this.members.get(name))
  }

  /** A member that is an object. */
  object(name: string): Fields | undefined {
    const text = this.members.get(name)
    if (text === undefined) return undefined
    const inner = (this.inner ??= new Map())
    let known = inner.get(name)
    if (known === undefined) inner.set(name, (known = Fields.cut(text)))
    return known
  }

  get names(): Iterable<string> {
    return this.members.keys()
  }

  get size(): number {
    return this.members.size
  }

  /** With a member set, in its old place if it had one; undefined takes it away. */
  with(name: string, text: Json | undefined): Fields {
    if (text === undefined) return this.without(name)
    return new Fields(new Map(this.members).set(name, text))
  }

  without(...names: ReadonlyArray<string>): Fields {
    if (!names.some((name) => this.members.has(name))) return this
    const members = new Map(this.members)
    for (const name of names) members.delete(name)
    return new Fields(members)
  }

  /** With the members of another one, as far as they are not there already. */
  and(other: Fields | undefined): Fields {
    if (other === undefined || other.size === 0) return this
    const members = new Map(this.members)
    for (const [name, text] of other.members) if (!members.has(name)) members.set(name, text)
    return new Fields(members)
  }

  /** The members that a test is true of. */
  filter(isKept: (name: string) => boolean): Fields {
    const members = new Map<string, Json>()
    for (const [name, text] of this.members) if (isKept(name)) members.set(name, text)
    return members.size === this.members.size ? this : new Fields(members)
  }

  toJson(): Json {
    let text = "{"
    for (const [name, value] of this.members) {
      text += text === "{" ? `${JSON.stringify(name)}:${value}` : `,${JSON.stringify(name)}:${value}`
    }
    return `${text}}`
  }
}

/** Rewrites the member at a path of names, where there is one; `*` stands for every element of an array, `{}` for every member of an object. */
export const rewriteAt = (
  text: Json,
  path: ReadonlyArray<string>,
  rewrite: (value: Json) => Json | undefined,
): Json => {
  const [name, ...rest] = path
  if (name === undefined) return rewrite(text) ?? text
  if (name === "*") {
    const items = itemsOf(text)
    if (items === undefined) return text
    let isChanged = false
    const rewritten = items.map((item) => {
      const next = rewriteAt(item, rest, rewrite)
      isChanged ||= next !== item
      return next
    })
    return isChanged ? arrayOf(rewritten) : text
  }
  const fields = Fields.parse(text)
  if (name === "{}") {
    return Array.from(fields?.names ?? []).reduce((whole, one) => rewriteAt(whole, [one, ...rest], rewrite), text)
  }
  const member = fields?.get(name)
  if (fields === undefined || member === undefined) return text
  const next = rewriteAt(member, rest, rewrite)
  return next === member ? text : fields.with(name, next).toJson()
}
