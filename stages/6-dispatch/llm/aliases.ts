/** Other names for models. */

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** Exact names first, then patterns, the longest of them first; `*` stands for anything, as often as it likes. */
export const aliasing = (aliases: Readonly<Record<string, string>> = {}): ((model: string) => string) => {
  const exact = new Map<string, string>()
  const patterns: Array<{ readonly length: number; readonly parts: RegExp; readonly to: string }> = []
  for (const [from, to] of Object.entries(aliases)) {
    if (!from.includes("*")) exact.set(from, to)
    else {
      // Runs of stars are one star: each more would only give the matcher more ways to fail.
      const parts = from.split(/\*+/).map(escaped).join("[^]*")
      patterns.push({ length: from.length, parts: new RegExp(`^${parts}$`), to })
    }
  }
  if (exact.size === 0 && patterns.length === 0) return (model) => model
  patterns.sort((a, b) => b.length - a.length)
  return (model) => exact.get(model) ?? patterns.find(({ parts }) => parts.test(model))?.to ?? model
}
