/** “Did you mean”: the known word nearest to a misspelt one. */

const distance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: Array<number> = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? limit + 1
}

const flat = (word: string) => word.toLowerCase().replaceAll(/[-_ ]/g, "")

/** The nearest of `words`, when one is near enough to be what was meant. */
export const suggest = (word: string, words: Iterable<string>): string | undefined => {
  const wanted = flat(word)
  if (wanted.length > 64) return undefined
  const limit = wanted.length <= 3 ? 1 : wanted.length <= 7 ? 2 : 3
  let best: string | undefined
  let least = limit + 1
  for (const candidate of words) {
    const d = distance(wanted, flat(candidate), limit)
    if (d < least) {
      least = d
      best = candidate
    }
  }
  return best
}

/** “Did you mean `x`?”, or the list to choose from, or nothing when that list would be too long to read. */
export const chooseFrom = (word: string, words: ReadonlyArray<string>, most = 12): string => {
  const near = suggest(word, words)
  if (near !== undefined) return `Did you mean \`${near}\`?`
  if (words.length === 0 || words.length > most) return ""
  return `Use ${words.length === 1 ? "" : "one of "}${words.map((name) => `\`${name}\``).join(", ")}.`
}
