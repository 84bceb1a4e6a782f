/** Names of tools and servers that a text may speak of. A name that is an ordinary word only counts where it is meant as one. */
import { unveil } from "./hidden.ts"

export interface Mention {
  readonly name: string
  /** Of the same server. */
  readonly isOwn: boolean
}

export interface KnownNames {
  /** What the server itself offers. */
  readonly own: Iterable<string>
  /** Tools of others. */
  readonly tools: Iterable<string>
  /** The other servers. */
  readonly servers: Iterable<string>
}

/** Nobody would write it unless he meant it: `read_file`, `sendMail`, `v2.run`. */
const isDistinctive = (name: string): boolean =>
  name.length >= 5 && (/[_.\-/]/u.test(name.slice(1, -1)) || /[a-z][A-Z]/u.test(name) || /[a-z]\d|\d[a-z]/iu.test(name))

/** A hyphen means nothing outside a class, and patterns of `u` refuse to have it escaped. */
const escaped = (name: string): string => name.replace(/[.*+?^${}()|[\]\\/]/gu, "\\$&")

interface Sought {
  readonly name: string
  readonly isOwn: boolean
  readonly pattern: RegExp
}

const boundary = (inner: string): string => `(?<![\\p{L}\\p{N}_])${inner}(?![\\p{L}\\p{N}_])`

const soughtOf = (name: string, isServer: boolean, isOwn: boolean): Sought | undefined => {
  const written = escaped(name)
  if (isDistinctive(name)) return { name, isOwn, pattern: new RegExp(boundary(written), "iu") }
  if (name.length < 3) return undefined
  const noun = isServer ? "(?:mcp )?(?:server|tools?|mcp|agent)" : "(?:tool|function|command|endpoint|action)"
  return {
    name,
    isOwn,
    pattern: new RegExp(
      [
        `[\`'"“]${written}[\`'"”](?:\\(| (?:mcp|server|tools?|function))`,
        `\`${written}\``,
        boundary(`${written} ${noun}`),
        boundary(`${noun} (?:named|called) ["'\`]?${written}`),
        ...(isServer ? [`(?<![\\p{L}\\p{N}_])${written}_[a-z]`] : [boundary(`${written}\\(\\)`)]),
      ].join("|"),
      "iu",
    ),
  }
}

/** How many names are looked for; a federation beyond that is compared by the first of them. */
const namesMax = 2_000

export class Names {
  static readonly none = new Names({ own: [], tools: [], servers: [] })

  private readonly known: KnownNames
  private sought: ReadonlyArray<Sought> | undefined

  constructor(known: KnownNames) {
    this.known = known
  }

  mentionedIn(text: string): ReadonlyArray<Mention> {
    this.sought ??= this.compiled()
    if (this.sought.length === 0) return []
    const shown = unveil(text).text.normalize("NFKC")
    return this.sought.filter(({ pattern }) => pattern.test(shown))
  }

  private compiled(): ReadonlyArray<Sought> {
    const own = new Set(this.known.own)
    const found: Array<Sought> = []
    const add = (name: string, isServer: boolean, isOwn: boolean): void => {
      const one = found.length < namesMax ? soughtOf(name, isServer, isOwn) : undefined
      if (one !== undefined) found.push(one)
    }
    for (const name of own) add(name, false, true)
    for (const name of this.known.servers) if (!own.has(name)) add(name, true, false)
    for (const name of this.known.tools) if (!own.has(name)) add(name, false, false)
    return found
  }
}
