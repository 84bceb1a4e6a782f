/** Names and patterns of models: which cover which. One `*` stands for any run of characters. Nothing of the schemas, so that whoever serves need not carry them. */

const endsAt = (pattern: string): { readonly prefix: string; readonly suffix: string } => {
  const star = pattern.indexOf("*")
  return { prefix: pattern.slice(0, star), suffix: pattern.slice(star + 1) }
}

/** Whether a pattern of models covers a name. */
export const coversModel = (pattern: string, name: string): boolean => {
  if (!pattern.includes("*")) return pattern === name
  const { prefix, suffix } = endsAt(pattern)
  return name.length >= prefix.length + suffix.length && name.startsWith(prefix) && name.endsWith(suffix)
}

/** The more is written out, the earlier a pattern is tried. */
export const specificity = (pattern: string): number => pattern.replaceAll("*", "").length

/** Whether some name is covered by both. */
export const modelsIntersect = (a: string, b: string): boolean => {
  if (!a.includes("*")) return coversModel(b, a)
  if (!b.includes("*")) return coversModel(a, b)
  const [x, y] = [endsAt(a), endsAt(b)]
  return (
    (x.prefix.startsWith(y.prefix) || y.prefix.startsWith(x.prefix)) &&
    (x.suffix.endsWith(y.suffix) || y.suffix.endsWith(x.suffix))
  )
}
