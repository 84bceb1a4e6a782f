/** Pieces in a row as one; a single piece is that piece itself. */
export const join = (pieces: ReadonlyArray<Uint8Array>, length = lengthOf(pieces)): Uint8Array => {
  const only = pieces[0]
  if (pieces.length === 1 && only !== undefined) return only
  const whole = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}

const lengthOf = (pieces: ReadonlyArray<Uint8Array>): number => {
  let length = 0
  for (const piece of pieces) length += piece.byteLength
  return length
}
