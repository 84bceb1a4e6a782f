/** Header fields from bytes to strings. */

/**
 * The fields of one head usually lie in one buffer, and cutting one string is several times cheaper than converting
 * each part by itself.
 */
export const latin1 = (raw: unknown): Array<string> => {
  const flat: Array<string> = []
  if (!Array.isArray(raw)) return flat
  const parts = raw as ReadonlyArray<Buffer | string>
  const first = parts[0]
  const last = parts[parts.length - 1]
  if (first instanceof Uint8Array && last instanceof Uint8Array && first.buffer === last.buffer) {
    const start = first.byteOffset
    const end = last.byteOffset + last.byteLength
    if (end >= start) {
      const text = Buffer.from(first.buffer, start, end - start).toString("latin1")
      for (const part of parts) {
        if (typeof part === "string" || part.buffer !== first.buffer) return each(parts)
        const from = part.byteOffset - start
        if (from < 0) return each(parts)
        flat.push(text.slice(from, from + part.byteLength))
      }
      return flat
    }
  }
  return each(parts)
}

const each = (parts: ReadonlyArray<Buffer | string>): Array<string> =>
  parts.map((part) => (typeof part === "string" ? part : part.toString("latin1")))
