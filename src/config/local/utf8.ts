/** Bytes of a configuration to its text. */
import { isUtf8 } from "node:buffer"
import type { ConfigIssue } from "../ConfigIssue.ts"

const NEWLINE = 10

/** Two bytes a character, as some editors and shells of Windows write. */
const isUtf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)

const notUtf8 = (line: number, column: number, message: string): ConfigIssue => ({
  severity: "error",
  line,
  column,
  path: "",
  message,
  remedy: "Save the file as UTF-8.",
})

/** What is not UTF-8 would be read as something else, and nobody would be told. */
export const textIn = (bytes: Uint8Array): string | ConfigIssue => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true })
  if (isUtf8(bytes)) return text.decode(bytes)
  if (isUtf16(bytes)) return notUtf8(1, 1, "the file is written in UTF-16")
  let line = 1
  let start = 0
  for (;;) {
    const next = bytes.indexOf(NEWLINE, start)
    const part = bytes.subarray(start, next < 0 ? undefined : next)
    if (next < 0 || !isUtf8(part)) {
      return notUtf8(line, Math.max(0, text.decode(part).indexOf("\uFFFD")) + 1, "this character is not UTF-8")
    }
    start = next + 1
    line++
  }
}
