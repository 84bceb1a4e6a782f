/**
 * Names that the upstream accepts for the client's tools. Providers differ in length and alphabet; a name that does not
 * fit is made to fit for the call and put back in what the model answers.
 */
export interface ToolNames {
  readonly out: (name: string) => string
  readonly back: (name: string) => string
}

/** FNV-1a: no secret depends on it, it only keeps shortened names apart. */
const hash = (text: string): string => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h >>> 0).toString(16).padStart(8, "0").slice(-6)
}

/** @param illegal matches every character that the upstream refuses */
export const toolNames = (charsMax: number, illegal: RegExp): ToolNames => {
  const outward = new Map<string, string>()
  const inward = new Map<string, string>()
  const out = (name: string): string => {
    const known = outward.get(name)
    if (known !== undefined) return known
    const legal = name === "" ? "tool" : name.replaceAll(illegal, "_")
    let fitted = legal
    if (legal.length > charsMax || (inward.has(legal) && inward.get(legal) !== name))
      fitted = `${legal.slice(0, charsMax - 7)}_${hash(name)}`
    for (let i = 2; inward.has(fitted); i++)
      fitted = `${legal.slice(0, charsMax - 8 - String(i).length)}_${hash(name)}_${i}`
    outward.set(name, fitted)
    inward.set(fitted, name)
    return fitted
  }
  return { out, back: (name) => inward.get(name) ?? name }
}
