/**
 * Names for definitions that change when anything in them changes. What is hashed says what it is and by which rules, so
 * that a hash of one kind is never one of another, and rules can change without anything being taken for the same.
 */

/** SHA-256 of a text, in hexadecimal. */
export type Digest = (text: string) => string

export const kinds = ["instructions", "tool", "prompt", "template", "card", "skill"] as const
export type Kind = (typeof kinds)[number]

/** The rules by which is hashed. */
const version = "v1"

const named = (hex: string): string => `${version}:${hex}`

/** Of one definition, in its canonical form. */
export const itemHash = (kind: Kind, canonicalText: string, digest: Digest): string =>
  named(digest(`sluice/lock/${version}/${kind}\n${canonicalText}`))

export interface Leaf {
  readonly kind: Kind
  readonly name: string
  readonly hash: string
}

const byName = (a: Leaf, b: Leaf): number =>
  a.kind === b.kind ? (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) : kinds.indexOf(a.kind) - kinds.indexOf(b.kind)

/** Of everything of a server: a Merkle tree, whose order is that of kinds and names. */
export const rootOf = (leaves: ReadonlyArray<Leaf>, digest: Digest): string => {
  let level = leaves
    .toSorted(byName)
    .map(({ hash, kind, name }) => digest(`sluice/lock/${version}/leaf\n${JSON.stringify([kind, name, hash])}`))
  if (level.length === 0) return named(digest(`sluice/lock/${version}/empty\n`))
  while (level.length > 1) {
    const above: Array<string> = []
    for (let i = 0; i < level.length; i += 2) {
      const [left = "", right] = level.slice(i, i + 2)
      // One without a sibling goes up as it is; nodes are no leaves, so nothing can be mistaken for it.
      above.push(right === undefined ? left : digest(`sluice/lock/${version}/node\n${left}\n${right}`))
    }
    level = above
  }
  return named(level[0] ?? "")
}
