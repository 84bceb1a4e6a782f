/** Values that look into what a host already has: headers, query strings, secrets, and records whose fields are made when read. */
import { CelError, type CelValue, type Key, MapView, TextView } from "./CelValue.ts"

/** A record whose fields are produced on demand: `read` answers undefined for one that is absent. */
export class RecordView extends MapView {
  readonly #names: ReadonlyArray<string>
  readonly #read: (field: string) => CelValue | undefined
  constructor(names: ReadonlyArray<string>, read: (field: string) => CelValue | undefined) {
    super()
    this.#names = names
    this.#read = read
  }
  get(key: Key): CelValue | undefined {
    return typeof key === "string" ? this.#read(key) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    return this.#names.filter((name) => this.#read(name) !== undefined)
  }
}

/** What stands in the place of a secret. */
const REDACTED = "<redacted>"

export class RedactedText extends TextView {
  readonly secret: string
  constructor(secret: string) {
    super()
    this.secret = secret
  }
  get text(): string {
    return REDACTED
  }
}

/** Headers that carry what their owner acts with; whoever writes headers down writes these without their values. */
const sensitiveNames: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "api-key",
  "x-api-key",
  "x-goog-api-key",
  // Whoever knows the session of a client of MCP has it.
  "mcp-session-id",
  "x-auth-token",
  "x-access-token",
  "x-csrf-token",
  "x-amz-security-token",
  "x-forwarded-access-token",
])
export const isSensitive = (name: string): boolean => sensitiveNames.has(name)

type Entries = "plain" | "joined" | "raw" | "split"

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Header values arrive as one character per byte; what is not UTF-8 has no text. */
const decode = (value: string): string | undefined => {
  let wide = false
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code > 0xff) return value
    if (code > 0x7f) wide = true
  }
  if (!wide) return value
  try {
    return decoder.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)))
  } catch {
    return undefined
  }
}

/**
 * Header fields: a flat list of lower-case name, value, name, value.
 * `view["name"]` is the first entry; `view.name` is the entry, or a list when there are several. `join`, `raw` and `split` make both
 * of them the same.
 */
export class HeaderView extends MapView {
  readonly #flat: ReadonlyArray<string>
  readonly #entries: Entries
  readonly #hidden: ((name: string) => boolean) | undefined
  readonly #sensitive: (name: string) => boolean
  constructor(
    flat: ReadonlyArray<string>,
    sensitive: (name: string) => boolean = isSensitive,
    entries: Entries = "plain",
    hidden?: (name: string) => boolean,
  ) {
    super()
    this.#flat = flat
    this.#sensitive = sensitive
    this.#entries = entries
    this.#hidden = hidden
  }

  with(entries: Entries): HeaderView {
    return new HeaderView(this.#flat, this.#sensitive, entries, this.#hidden)
  }

  redacted(): HeaderView {
    return new HeaderView(this.#flat, this.#sensitive, this.#entries, this.#sensitive)
  }

  cookie(name: string): string | undefined {
    for (let i = 0; i < this.#flat.length; i += 2) {
      if (this.#flat[i] !== "cookie") continue
      for (const pair of (this.#value(i) ?? "").split(";")) {
        const equals = pair.indexOf("=")
        if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
      }
    }
    return undefined
  }

  #value(i: number): string | undefined {
    return this.#hidden?.(this.#flat[i] as string) === true ? REDACTED : decode(this.#flat[i + 1] as string)
  }

  #all(name: string): ReadonlyArray<string> | undefined {
    const values: Array<string> = []
    for (let i = 0; i < this.#flat.length; i += 2) {
      if (this.#flat[i] !== name) continue
      const value = this.#value(i)
      if (value === undefined) return undefined
      values.push(value)
    }
    return values.length === 0 ? undefined : values
  }

  get(key: Key): CelValue | undefined {
    if (typeof key !== "string") return undefined
    if (this.#entries !== "plain") return this.select(key)
    const flat = this.#flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === key) return this.#value(i)
    return undefined
  }

  override select(field: string): CelValue | undefined {
    const values = this.#all(field)
    if (values === undefined) return undefined
    switch (this.#entries) {
      case "plain":
        return values.length === 1 ? values[0] : values
      case "joined":
        return values.join(",")
      case "raw":
        return values
      case "split":
        return values.flatMap((value) => value.split(",").map((part) => part.trim()))
    }
  }

  keys(): ReadonlyArray<CelValue> {
    const names = new Set<string>()
    for (let i = 0; i < this.#flat.length; i += 2) names.add(this.#flat[i] as string)
    return [...names].filter((name) => this.get(name) !== undefined)
  }
}

/** A URI, or a path with its query, whose parameters can be read and changed. */
export class QueryText extends TextView {
  readonly text: string
  constructor(text: string) {
    super()
    this.text = text
  }

  #split(): readonly [before: string, query: string, after: string] {
    const hash = this.text.indexOf("#")
    const whole = hash < 0 ? this.text : this.text.slice(0, hash)
    const mark = whole.indexOf("?")
    const after = hash < 0 ? "" : this.text.slice(hash)
    return mark < 0 ? [whole, "", after] : [whole.slice(0, mark), whole.slice(mark + 1), after]
  }

  query(name: string): ReadonlyArray<string> | CelError {
    const values = new URLSearchParams(this.#split()[1]).getAll(name)
    return values.length === 0 ? new CelError("noSuchKey", `no such key: query parameter ${name.slice(0, 64)}`) : values
  }

  changed(change: (query: URLSearchParams) => void): QueryText {
    const [before, query, after] = this.#split()
    const parameters = new URLSearchParams(query)
    change(parameters)
    const text = parameters.toString()
    return new QueryText(`${before}${text === "" ? "" : `?${text}`}${after}`)
  }
}
