/** Bodies whose every byte can be predicted, so that what arrives is checked without keeping what was sent. */

const keyOf = (name: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

const byteAt = (key: number, offset: number): number => (key + offset * 131 + (offset >> 8) * 7) & 0xff

/** A piece of the body of that name. */
export const payload = (name: string, offset: number, length: number): Uint8Array => {
  const key = keyOf(name)
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(key, offset + i)
  return bytes
}

/** Follows a body as it arrives. */
export class Verifier {
  bytes = 0
  /** Whether everything so far is the beginning of that body. */
  intact = true
  private readonly key: number

  constructor(name: string) {
    this.key = keyOf(name)
  }

  take(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.byteLength && this.intact; i++) {
      if (chunk[i] !== byteAt(this.key, this.bytes + i)) this.intact = false
    }
    this.bytes += chunk.byteLength
  }
}
