/** Text in double quotes, with control characters, quotes and backslashes escaped. */
const escapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
}

export const quote = (text: string): string =>
  `"${text.toWellFormed().replace(/[\u0007-\r"\\]/g, (one) => escapes[one] ?? one)}"`
