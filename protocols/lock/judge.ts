/** What a definition is to whoever approved another: the same, the same in other words, suspicious, or somebody else. */
import type { Cue } from "./Cues.ts"
import { cuesOf, type Item } from "./Item.ts"
import type { Names } from "./Names.ts"
import { mostSimilar } from "./similar.ts"

export type Verdict =
  | { readonly _tag: "Same" }
  /** Other words, and nothing new that would move a model or widen what a caller can do. */
  | { readonly _tag: "Cosmetic" }
  | { readonly _tag: "Suspicious"; readonly cues: ReadonlyArray<Cue> }
  /** Under the same name it is somebody else: elsewhere, vouched for by others, or open to others. */
  | { readonly _tag: "Replaced"; readonly cues: ReadonlyArray<Cue> }
  /** Nobody approved anything of that name. `like`: what it looks like under another name. */
  | { readonly _tag: "Unlisted"; readonly like: string | undefined; readonly cues: ReadonlyArray<Cue> }
  /** It is, nearly to the letter, what was approved under another name. */
  | { readonly _tag: "Moved"; readonly from: string; readonly cues: ReadonlyArray<Cue> }

export type Grade = "same" | "cosmetic" | "suspicious" | "identity"

export const gradeOf = ({ _tag }: Verdict): Grade => {
  switch (_tag) {
    case "Same":
      return "same"
    case "Cosmetic":
      return "cosmetic"
    case "Suspicious":
      return "suspicious"
    case "Replaced":
    case "Unlisted":
    case "Moved":
      return "identity"
  }
}

/** `approved`: everything of the same kind that was approved of the server, by name. */
export const judge = (live: Item, approved: ReadonlyMap<string, Item>, names: Names): Verdict => {
  const before = approved.get(live.name)
  if (before === undefined) {
    return { _tag: "Unlisted", like: mostSimilar(live, approved.values())?.item.name, cues: cuesOf(live, names).strong }
  }
  // A hash says nothing of members that occur twice: it covers the last of them.
  if (before.hash === live.hash && live.repeated.length === before.repeated.length) return { _tag: "Same" }
  const added = cuesOf(live, names).beyond(cuesOf(before, names))
  if (added.some((one) => one.class === "identity")) return { _tag: "Replaced", cues: added }
  const own = mostSimilar({ ...live, name: "" }, [before])
  if (own === undefined) {
    const other = mostSimilar(live, approved.values())
    if (other !== undefined) return { _tag: "Moved", from: other.item.name, cues: added }
  }
  return added.length === 0 ? { _tag: "Cosmetic" } : { _tag: "Suspicious", cues: added }
}

/** Whether a definition is good enough to be taken on trust when a server is met for the first time. */
export const isTrustworthy = (live: Item, names: Names): boolean => cuesOf(live, names).strong.length === 0
