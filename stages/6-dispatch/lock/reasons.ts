/** Why somebody has to look at a definition, in words. */
import type { Cue } from "../../../protocols/lock/Cues.ts"
import { legible } from "../../../protocols/lock/difference.ts"
import type { Verdict } from "../../../protocols/lock/judge.ts"

const wordsOf = ({ class: one, what }: Cue): string => {
  const said = legible(what).slice(0, 200)
  switch (one) {
    case "hidden":
      return `hides ${said}`
    case "override":
      return `tries to take over the model: ${said}`
    case "secrecy":
      return `asks to keep something from people: ${said}`
    case "exfiltration":
      return `wants what it has no business with: ${said}`
    case "secretFile":
      return `speaks of a file of secrets: ${said}`
    case "foreign":
      return `speaks of another server's ${said}`
    case "repeated":
      return `has the member ${said} twice`
    case "oversize":
      return `is larger than anybody would read: ${said}`
    case "mixedScript":
      return `writes ${said} in letters of two scripts`
    case "imperative":
      return `gives an order: ${said}`
    case "url":
    case "address":
      return `names ${said}`
    case "command":
      return `names a command: ${said}`
    case "credential":
      return `speaks of credentials: ${said}`
    case "encoded":
      return `has something encoded: ${said}`
    case "markup":
      return `has markup: ${said}`
    case "script":
      return `is written in ${said} as well`
    case "sibling":
      return `speaks of ${said}`
    case "hint":
    case "schema":
    case "identity":
    case "member":
      return `now: ${said}`
  }
}

/** How many reasons are written down; one that is not may still be seen in the difference. */
const reasonsMax = 24

export const reasonsOf = (verdict: Verdict): ReadonlyArray<string> => {
  switch (verdict._tag) {
    case "Same":
      return []
    case "Cosmetic":
      return ["other words for the same"]
    case "Replaced":
    case "Suspicious":
      return verdict.cues.slice(0, reasonsMax).map(wordsOf)
    case "Unlisted":
      return [
        verdict.like === undefined ? "nobody has approved it" : `nobody has approved it; it looks like ${verdict.like}`,
        ...verdict.cues.slice(0, reasonsMax).map(wordsOf),
      ]
    case "Moved":
      return [`it is what was approved as ${verdict.from}`, ...verdict.cues.slice(0, reasonsMax).map(wordsOf)]
  }
}
