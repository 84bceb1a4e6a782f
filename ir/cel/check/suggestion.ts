/** The word closest to a misspelt one. */
const nearest = (word: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const one of known) {
    const distance = one.toLowerCase() === word.toLowerCase() ? 0 : editDistance(word, one, least)
    if (distance < least) [best, least] = [one, distance]
  }
  return best
}

const editDistance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? limit
}

/** What was meant, if anything known is near enough. */
export const suggestion = (word: string, known: Iterable<string>): string | undefined => {
  const near = nearest(word, known)
  return near === undefined ? undefined : `did you mean ${near}?`
}
