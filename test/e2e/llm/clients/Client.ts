/** What every official SDK is asked to do, whichever format it speaks. */
import type { WireName } from "../wire.ts"

export interface Called {
  readonly name: unknown
  readonly input: unknown
}

/** A stream of which some has been read. */
export interface Begun {
  readonly text: string
  /** Everything up to the end; fails as the SDK fails. */
  readonly rest: () => Promise<string>
  /** What the SDK offers for stopping. */
  readonly abort: () => void
}

export interface Client {
  readonly wire: WireName
  readonly plain: (
    model: string,
  ) => Promise<{ readonly text: string; readonly input: unknown; readonly output: unknown }>
  readonly stream: (model: string) => Promise<{ readonly text: string; readonly pieces: number }>
  readonly tools: (model: string) => Promise<Called>
  readonly streamedTools: (model: string) => Promise<Called>
  /** Asks for an answer in the shape of `schema`. */
  readonly shaped: (model: string) => Promise<unknown>
  /** Shows the picture and asks what it is. */
  readonly picture: (model: string) => Promise<string>
  /** Reads the first words of a stream. */
  readonly begin: (model: string) => Promise<Begun>
  /** Status and message of a failure. */
  readonly refused: (error: unknown) => readonly [number | undefined, string]
}

export const schema = {
  type: "object" as const,
  properties: { city: { type: "string" as const }, days: { type: "integer" as const } },
  required: ["city", "days"],
  additionalProperties: false,
}

export const ask = "how is the weather?"
export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** A stream of an SDK as words: those of an event, or none. */
export const beginning = async <A>(
  stream: AsyncIterable<A>,
  wordsOf: (event: A) => string,
  abort: () => void,
): Promise<Begun> => {
  const events = stream[Symbol.asyncIterator]()
  let text = ""
  while (text === "") {
    const { done, value } = await events.next()
    if (done === true) throw new Error("the stream ended before it said anything")
    text = wordsOf(value)
  }
  return {
    text,
    abort,
    rest: async () => {
      let rest = ""
      for (;;) {
        const { done, value } = await events.next()
        if (done === true) return rest
        rest += wordsOf(value)
      }
    },
  }
}
