/** A list of JSON objects that arrives one by one, which is how Gemini streams to whoever does not ask for SSE. */

/** How much of one unfinished element is held, in characters. */
const ELEMENT_CHARS_MAX = 8 * 1024 * 1024

/** Finds the elements of the outermost list however the bytes were cut; what is inside them is not looked at. */
export class JsonArrayDecoder {
  private readonly decoder = new TextDecoder()
  private readonly onElement: (json: string) => void
  private readonly charsMax: number
  private element = ""
  private depth = 0
  private inString = false
  private escaped = false
  private phase: "before" | "inside" | "after" = "before"
  private problem: string | undefined

  constructor(onElement: (json: string) => void, charsMax: number = ELEMENT_CHARS_MAX) {
    this.onElement = onElement
    this.charsMax = charsMax
  }

  /** A reason once the bytes are no list of objects; whatever follows is ignored. */
  feed(chunk: Uint8Array): string | undefined {
    return this.problem ?? this.read(this.decoder.decode(chunk, { stream: true }))
  }

  /** A reason where the list is not over; an error that came without a list around it is an element, too. */
  end(): string | undefined {
    const problem = this.problem ?? this.read(this.decoder.decode())
    if (problem !== undefined) return problem
    return this.phase === "after" || (this.phase === "before" && this.depth === 0)
      ? undefined
      : this.fail("the stream ended inside its list")
  }

  private fail(problem: string): string {
    this.problem = problem
    this.element = ""
    return problem
  }

  private read(text: string): string | undefined {
    let start = this.depth > 0 ? 0 : -1
    for (let i = 0; i < text.length; i++) {
      const char = text[i]
      if (this.depth === 0) {
        if (char === "{") {
          this.depth = 1
          start = i
        } else if (char === "[" && this.phase === "before") this.phase = "inside"
        else if (char === "]" && this.phase === "inside") this.phase = "after"
        else if (!(char === " " || char === "\n" || char === "\r" || char === "\t" || char === ",")) {
          return this.fail("the stream is no list of objects")
        }
        continue
      }
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (char === "\\") this.escaped = true
        else if (char === '"') this.inString = false
      } else if (char === '"') this.inString = true
      else if (char === "{" || char === "[") this.depth++
      else if (char === "}" || char === "]") {
        this.depth--
        if (this.depth === 0) {
          const whole = this.element + text.slice(Math.max(0, start), i + 1)
          this.element = ""
          start = -1
          this.onElement(whole)
        }
      }
    }
    if (this.depth > 0) {
      this.element += text.slice(Math.max(0, start))
      if (this.element.length > this.charsMax) return this.fail(`an element is larger than ${this.charsMax} characters`)
    }
    return undefined
  }
}
