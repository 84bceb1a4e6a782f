/** A draw among weighted alternatives. */

export interface Weighted<A> {
  readonly weight: number
  readonly value: A
}

/** Undefined when nothing can be drawn; an alternative of weight 0 never is. */
export const chooser = <A>(alternatives: ReadonlyArray<Weighted<A>>, random: () => number): (() => A) | undefined => {
  const possible = alternatives.filter(({ weight }) => weight > 0)
  const first = possible[0]
  if (first === undefined) return undefined
  const { value } = first
  if (possible.length === 1) return () => value
  const total = possible.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let drawn = random() * total
    for (const one of possible) {
      drawn -= one.weight
      if (drawn < 0) return one.value
    }
    return value
  }
}
