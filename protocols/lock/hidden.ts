/**
 * Characters that people do not see and models do: control characters, those that join, separate or turn text around,
 * and the tag characters that spell out ASCII invisibly. What belongs to ordinary writing — joined emoji, the flags of
 * regions, the scripts that need joiners — is left alone.
 */

/** Any character of which it takes a second look to say whether it is hidden; most texts have none. */
// oxlint-disable-next-line no-control-regex, no-misleading-character-class -- they are what is looked for, one by one
const candidates =
  /[\u034f\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\p{Cf}\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}\u115f\u1160\u3164\uffa0\u2800\u2028\u2029]/u
const candidatesAll = new RegExp(candidates.source, "gu")

/** Sequences of a terminal: colours, movements, links, titles. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const terminal =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[PX^_][^\u001b]*(?:\u001b\\)?|\u001b[@-_a-z]?/gu

// oxlint-disable-next-line no-misleading-character-class -- skin colours and the mark of an emoji, one by one
const pictograph = /\p{Extended_Pictographic}[\u{1f3fb}-\u{1f3ff}\u{fe0f}]*$/u
const joinedScript =
  /[\p{sc=Deva}\p{sc=Beng}\p{sc=Arab}\p{sc=Syrc}\p{sc=Mlym}\p{sc=Sinh}\p{sc=Taml}\p{sc=Telu}\p{sc=Knda}\p{sc=Gujr}\p{sc=Guru}\p{sc=Orya}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Mong}\p{sc=Tibt}]$/u
const emojiBase = /[\p{Emoji}\p{Emoji_Modifier}]$/u

/** A flag such as that of Scotland: a black flag, up to six tags, and the tag that ends it. */
const regionFlag = /\u{1f3f4}[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{2,6}\u{e007f}/gu

const isOrdinary = (character: string, before: string, after: string): boolean => {
  switch (character) {
    case "\u200d":
      return (pictograph.test(before) && /^\p{Extended_Pictographic}/u.test(after)) || joinedScript.test(before)
    case "\u200c":
      return joinedScript.test(before)
    // Arabic has numbers and marks of its own among the formatting characters.
    case "\u0600":
    case "\u0601":
    case "\u0602":
    case "\u0603":
    case "\u06dd":
    case "\u070f":
      return true
    case "\ufe0e":
    case "\ufe0f":
      return emojiBase.test(before) || /[\u2000-\u2bff\u3000-\u303f\u3200-\u32ff]$/u.test(before)
    default:
      return false
  }
}

/** The place of a character as it is written down: `U+200B`. */
export const codePoint = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`

export interface Unveiled {
  /** The text without what is hidden. */
  readonly text: string
  /** What was hidden, each character once. */
  readonly characters: ReadonlyArray<string>
  /** What tag characters spell; empty where there are none. */
  readonly spelled: string
  /** Whether there were sequences of a terminal. */
  readonly terminal: boolean
}

const plain = (text: string): Unveiled => ({ text, characters: [], spelled: "", terminal: false })

const isTag = (code: number): boolean => code >= 0xe0000 && code <= 0xe007f

export const unveil = (text: string): Unveiled => {
  if (!candidates.test(text)) return plain(text)
  const calm = text.replace(terminal, "")
  const hidden = new Set<string>()
  let spelled = ""
  // A flag stands for one visible sign, so it takes no part in the search.
  const flags = new Map<number, number>()
  for (const found of calm.matchAll(regionFlag)) flags.set(found.index, found.index + found[0].length)
  const shown: Array<string> = []
  let from = 0
  let flagEnd = 0
  const starts = [...flags]
  for (const found of calm.matchAll(candidatesAll)) {
    const at = found.index
    while (starts[0] !== undefined && starts[0][0] <= at) flagEnd = (starts.shift() as [number, number])[1]
    if (at < flagEnd) continue
    const [character] = found
    const end = at + character.length
    if (isOrdinary(character, calm.slice(Math.max(0, at - 8), at), calm.slice(end, end + 4))) continue
    const code = character.codePointAt(0) ?? 0
    if (isTag(code) && code > 0xe001f && code < 0xe007f) spelled += String.fromCharCode(code - 0xe0000)
    hidden.add(character)
    shown.push(calm.slice(from, at))
    // Lines and paragraphs of Unicode's own still separate words.
    if (code === 0x2028 || code === 0x2029) shown.push("\n")
    from = end
  }
  shown.push(calm.slice(from))
  return { text: shown.join(""), characters: [...hidden], spelled, terminal: calm !== text }
}
