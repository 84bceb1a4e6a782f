/** Texts as they look and sound rather than as they are written, so that two spellings of one thing are one. */
import { unveil } from "./hidden.ts"

/** Letters of other scripts that pass for Latin ones. */
const lookalikes: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ["a", "аɑαａ"],
    ["b", "ЬВβ"],
    ["c", "сϲⅽ"],
    ["d", "ԁⅾ"],
    ["e", "еёєε℮"],
    ["g", "ɡ"],
    ["h", "һнℎ"],
    ["i", "іїιıⅰ"],
    ["j", "јϳ"],
    ["k", "кκ"],
    ["l", "ӏⅼ|"],
    ["m", "мⅿ"],
    ["n", "пηո"],
    ["o", "оοσօ"],
    ["p", "рρ"],
    ["q", "ԛգ"],
    ["r", "гᴦ"],
    ["s", "ѕ"],
    ["t", "тτ"],
    ["u", "υսц"],
    ["v", "νѵⅴ"],
    ["w", "ԝωѡ"],
    ["x", "хχⅹ"],
    ["y", "уγү"],
    ["z", "ᴢ"],
  ].flatMap(([latin = "", others = ""]) => [...others].map((one) => [one.toLowerCase(), latin])),
)

const foreign = /[^\u0000-\u007f]|\|/gu

/** As a reader hears it: without what is hidden, ornaments, lookalikes, case and the exact spaces. */
export const fold = (text: string): string =>
  unveil(text)
    .text.normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(foreign, (one) => (one === "|" ? one : (lookalikes[one] ?? one)))
    .replace(/[‘’ʼ`´]/gu, "'")
    .replace(/[^\S\n]+/gu, " ")

/** Names that a person or a model would take for one another. */
export const foldName = (name: string): string =>
  unveil(name)
    .text.normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(foreign, (one) => lookalikes[one] ?? one)
    // What is told apart only in a good typeface.
    .replace(/[-_.\s/:]+/gu, "")
    .replaceAll("0", "o")
    .replaceAll("1", "l")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w")

/** A word of more than one script, which nobody writes by accident. */
const mixed = /(?=[\p{L}]*\p{sc=Latn})(?=[\p{L}]*[\p{sc=Cyrl}\p{sc=Grek}\p{sc=Armn}\p{sc=Cher}])[\p{L}]{2,}/gu

export const mixedWords = (text: string): ReadonlyArray<string> => text.match(mixed) ?? []

const scripts: ReadonlyArray<readonly [name: string, pattern: RegExp]> = [
  "Cyrillic",
  "Greek",
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
  "Arabic",
  "Hebrew",
  "Devanagari",
  "Thai",
  "Armenian",
  "Georgian",
  "Bengali",
  "Tamil",
].map((name) => [name, new RegExp(`\\p{sc=${name}}`, "u")])

const beyondLatin = /[\u0370-\u1fff\u2c00-\ud7ff\uf900-\ufdff\ufe70-\ufeff\u{10000}-\u{1efff}\u{20000}-\u{3ffff}]/u

/** The scripts other than Latin that a text is written in. */
export const scriptsOf = (text: string): ReadonlyArray<string> =>
  beyondLatin.test(text) ? scripts.flatMap(([name, pattern]) => (pattern.test(text) ? [name] : [])) : []
