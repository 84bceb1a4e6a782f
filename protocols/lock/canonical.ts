/**
 * JSON in the one form that all texts of the same value have (RFC 8785): members in the order of their UTF-16 code units,
 * numbers and strings as ECMAScript writes them. Texts that readers may understand differently are told apart all the
 * same: whole numbers that no double holds keep their digits, and members that occur twice are named.
 */

export interface Canonical {
  readonly text: string
  /** Names of members that an object has more than once: one reader takes the first, another the last. */
  readonly repeated: ReadonlyArray<string>
}

/** How deep values may be nested; whoever reads JSON here has made sure of less. */
const depthMax = 512

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

const wholeNumber = /^-?\d+$/

const number = (literal: string): string => {
  const short = String(Number(literal))
  return literal !== short && wholeNumber.test(literal) && literal !== "-0" ? literal : short
}

class Reader {
  readonly repeated = new Set<string>()
  private readonly text: string
  private at = 0
  private depth = 0

  constructor(text: string) {
    this.text = text
  }

  whole(): string {
    const value = this.value()
    this.space()
    if (this.at < this.text.length) throw new SyntaxError("more than one JSON value")
    return value
  }

  private space(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at++
  }

  private take(expected: string): void {
    if (!this.text.startsWith(expected, this.at)) throw new SyntaxError(`JSON breaks off at ${this.at}`)
    this.at += expected.length
  }

  private value(): string {
    this.space()
    switch (this.text[this.at]) {
      case "{":
        return this.nested(() => this.object())
      case "[":
        return this.nested(() => this.array())
      case '"':
        return JSON.stringify(this.string())
      default:
        return this.scalar()
    }
  }

  private nested(read: () => string): string {
    if (++this.depth > depthMax) throw new SyntaxError("JSON is nested too deeply")
    const value = read()
    this.depth--
    return value
  }

  private scalar(): string {
    const found = /[^\s,\]}]*/y
    found.lastIndex = this.at
    const literal = found.exec(this.text)?.[0] ?? ""
    this.at += literal.length
    if (literal === "true" || literal === "false" || literal === "null") return literal
    // The parser judges what a number is.
    JSON.parse(literal)
    return number(literal)
  }

  private string(): string {
    const from = this.at
    let end = from
    for (;;) {
      end = this.text.indexOf('"', end + 1)
      if (end < 0) throw new SyntaxError("a string does not end")
      let slashes = 0
      while (this.text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
      if (slashes % 2 === 0) break
    }
    this.at = end + 1
    return JSON.parse(this.text.slice(from, end + 1)) as string
  }

  private array(): string {
    this.take("[")
    this.space()
    const items: Array<string> = []
    if (this.text[this.at] !== "]") {
      for (;;) {
        items.push(this.value())
        this.space()
        if (this.text[this.at] !== ",") break
        this.at++
      }
    }
    this.take("]")
    return `[${items.join(",")}]`
  }

  private object(): string {
    this.take("{")
    this.space()
    const members = new Map<string, string>()
    if (this.text[this.at] !== "}") {
      for (;;) {
        this.space()
        const name = this.string()
        this.space()
        this.take(":")
        if (members.has(name)) this.repeated.add(name)
        members.set(name, this.value())
        this.space()
        if (this.text[this.at] !== ",") break
        this.at++
      }
    }
    this.take("}")
    const sorted = [...members.keys()].sort()
    return `{${sorted.map((name) => `${JSON.stringify(name)}:${members.get(name)}`).join(",")}}`
  }
}

/** Throws where the text is no JSON. Of members that occur twice the last one counts, as for `JSON.parse`. */
export const canonical = (json: string): Canonical => {
  const reader = new Reader(json)
  const text = reader.whole()
  return { text, repeated: [...reader.repeated] }
}
