/** How much of one definition is in another, whatever the two are called: a tool may come back under another name. */
import type { Item } from "./Item.ts"
import { nameMember } from "./Item.ts"

export interface Body {
  /** The definition without its name. */
  readonly text: string
  readonly pieces: ReadonlySet<string>
}

/** From so much in common on, two definitions are taken for one. */
const SIMILAR = 0.6

const words = /[\p{L}\p{N}]+/gu

/** Words that every schema has say nothing about one. */
const common: ReadonlySet<string> = new Set(
  "type object string number integer boolean array properties required description inputschema outputschema schema title name the a an of to for and or in is additionalproperties json draft http org 07 2020 12".split(
    " ",
  ),
)

const bodyOf = ({ canonicalText, kind }: Item): Body => {
  const value = JSON.parse(canonicalText) as unknown
  const member = nameMember[kind]
  const text =
    member !== undefined && typeof value === "object" && value !== null
      ? JSON.stringify({ ...value, [member]: undefined })
      : canonicalText
  const found = (text.toLowerCase().match(words) ?? []).filter((one) => !common.has(one))
  const pieces = new Set<string>(found)
  for (let i = 1; i < found.length; i++) pieces.add(`${found[i - 1]} ${found[i]}`)
  return { text, pieces }
}

/** From 0 to 1: what both have of what either has. */
const similarity = (a: Body, b: Body): number => {
  if (a.text === b.text) return 1
  // So little says nothing.
  if (Math.min(a.pieces.size, b.pieces.size) < 5) return 0
  let both = 0
  for (const one of a.pieces) if (b.pieces.has(one)) both++
  return both / (a.pieces.size + b.pieces.size - both)
}

/** The one of several that a definition is most like, if it is like any. */
export const mostSimilar = <A extends Item>(
  item: Item,
  others: Iterable<A>,
  body: (item: Item) => Body = bodyOf,
): { readonly item: A; readonly similarity: number } | undefined => {
  const own = body(item)
  let best: { readonly item: A; readonly similarity: number } | undefined
  for (const other of others) {
    if (other.kind !== item.kind || other.name === item.name) continue
    const found = similarity(own, body(other))
    if (found >= SIMILAR && found > (best?.similarity ?? 0)) best = { item: other, similarity: found }
  }
  return best
}
