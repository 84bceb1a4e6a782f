/** The field that says when a reply was made; its text is good for a second. */
import { formatHttpDate } from "../../../protocols/http/date.ts"

let line = ""

const forget = (): void => void (line = "")

export const dateLine = (): string => {
  if (line !== "") return line
  const now = Date.now()
  setTimeout(forget, 1_000 - (now % 1_000)).unref()
  return (line = `date: ${formatHttpDate(now)}\r\n`)
}
