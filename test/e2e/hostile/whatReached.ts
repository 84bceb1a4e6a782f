/** What a shape may do to the upstream, and whether it did no more than that. */
import { expect } from "vitest"
import { ordinary, read, readings, type Seen } from "./readings.ts"

export interface Reach {
  /** Requests that the upstream is sent; `part` is one of which no reader ever sees the end. */
  readonly reaches: number | "part" | "at most one" | "at most two"
  /** The request line that the upstream is sent. */
  readonly sees?: string
  /** In what the upstream is sent, in lower case. */
  readonly carries?: ReadonlyArray<string>
  /** In no head that any reader finds there, in lower case. */
  readonly never?: ReadonlyArray<string>
}

/** The good request that follows a shape on the same connection. */
export const sentinel = "GET /sentinel HTTP/1.1"

/** Bytes above ASCII have no case. */
const lower = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

const isTheirs = ({ line }: Seen): boolean => line !== sentinel
const facts = ({ complete, head, line }: Seen) => ({ line, complete, head })

/** `sent` is what each connection of the upstream was sent meanwhile. */
export const expectReach = (sent: ReadonlyArray<string>, { carries, never, reaches, sees }: Reach): void => {
  const found = sent.flatMap((text) => read(text, ordinary)).filter(isTheirs)
  for (const reading of readings) {
    const others = sent.flatMap((text) => read(text, reading)).filter(isTheirs)
    expect(others.map(facts), `${reading.name}: ${JSON.stringify(sent)}`).toEqual(found.map(facts))
  }
  if (reaches === "part") expect(found.filter(({ complete }) => complete)).toEqual([])
  else if (reaches === "at most one") expect(found.length).toBeLessThanOrEqual(1)
  else if (reaches === "at most two") expect(found.length).toBeLessThanOrEqual(2)
  else {
    expect(found.map(({ line }) => line)).toHaveLength(reaches)
    expect(found.filter(({ complete }) => !complete)).toEqual([])
  }
  const heads = lower(found.map(({ head }) => head).join(""))
  if (sees !== undefined) expect(found.map(({ line }) => line)).toEqual([sees])
  for (const text of carries ?? []) expect(heads).toContain(text)
  for (const text of never ?? []) expect(heads).not.toContain(text)
}
