/** Cues in one text, whichever member of a definition it stands in. */
import { bytesOfBase64Url } from "../base64url.ts"
import { Cues } from "./Cues.ts"
import { fold, mixedWords, scriptsOf } from "./fold.ts"
import { codePoint, unveil } from "./hidden.ts"
import type { Names } from "./Names.ts"
import { disguisedIn, phrasesIn } from "./phrases.ts"

/** A longer text is a cue by itself, and only its beginning is looked at more closely. */
const TEXT_CHARS_MAX = 64 * 1024

/** How often something encoded may be inside something encoded. */
const layersMax = 3

const sentencesOf = (text: string): ReadonlyArray<string> =>
  text
    .split(/(?<=[.!?;。！？])\s+|\n+|(?<=[。！？])/u)
    .map((one) => one.trim())
    .filter((one) => one !== "")

const url = /\b(?:[a-z][a-z0-9+.-]{1,20}):\/\/[^\s"'<>`)\]}]+|\b(?:javascript|data|vbscript):[^\s"'<>`)\]}]{3,}/giu
const bareDomain =
  /(?<![\w@./-])(?:[a-z0-9-]{1,63}\.){1,6}(?:com|net|org|io|dev|ai|co|xyz|ru|cn|info|app|site|online|top|sh|gg|cc|tk|me|biz|live|cloud|example|test|onion)\b(?:\/[^\s"'<>`)\]}]*)?/giu
const ipAddress = /(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])(?::\d+)?(?:\/[^\s"'<>`)\]}]*)?/gu
const mail = /[\w.+-]+@(?:[a-z0-9-]+\.)+[a-z]{2,}/giu

/** As it would be typed: addresses are often written so that no filter sees them. */
const mended = (text: string): string =>
  text
    .replace(/\bhxxp/giu, "http")
    .replace(/\s?[[({]\s?(?:\.|dot)\s?[\])}]\s?/giu, ".")
    .replace(/\s?[[({]\s?(?:@|at)\s?[\])}]\s?/giu, "@")

const trimmed = (text: string): string => text.replace(/[.,;:!?*]+$/u, "").toLowerCase()

const places = (text: string, cues: Cues): void => {
  let rest = mended(text)
  for (const [found] of rest.matchAll(mail)) cues.add("address", found.toLowerCase())
  rest = rest.replace(mail, " ")
  for (const [found] of rest.matchAll(url)) cues.add("url", trimmed(found))
  rest = rest.replace(url, " ")
  for (const pattern of [bareDomain, ipAddress]) {
    for (const [found] of rest.matchAll(pattern)) cues.add("url", trimmed(found))
  }
}

const base64 = /(?<![\w+/=-])(?:[A-Za-z0-9+/]{20,}|[A-Za-z0-9_-]{20,})={0,2}(?![\w+/=-])/gu
const hex = /(?<![\w])(?:(?:0x)?[0-9a-fA-F]{2}[ :,]?){12,}(?![\w])/gu
const percent = /(?:%[0-9a-fA-F]{2}[\w.-]?){5,}/gu
const entities = /(?:&#(?:x[0-9a-fA-F]+|\d+);\s?){4,}/gu
const escapes = /(?:\\u\{?[0-9a-fA-F]{4,6}\}?|\\x[0-9a-fA-F]{2}){4,}/gu

const utf8 = new TextDecoder("utf-8", { fatal: true })

const asText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const decoders: ReadonlyArray<readonly [RegExp, (found: string) => string | undefined]> = [
  [
    base64,
    (found) => {
      try {
        return asText(bytesOfBase64Url(found.replace(/=+$/u, "")))
      } catch {
        return undefined
      }
    },
  ],
  [
    hex,
    (found) =>
      asText(Uint8Array.from(found.replaceAll("0x", "").match(/[0-9a-fA-F]{2}/gu) ?? [], (one) => parseInt(one, 16))),
  ],
  [
    percent,
    (found) => {
      try {
        return decodeURIComponent(found)
      } catch {
        return undefined
      }
    },
  ],
  [
    entities,
    (found) =>
      found.replace(/&#(x?)([0-9a-fA-F]+);\s?/gu, (_, isHex: string, digits: string) => {
        const code = parseInt(digits, isHex === "" ? 10 : 16)
        return code <= 0x10ffff ? String.fromCodePoint(code) : ""
      }),
  ],
  [
    escapes,
    (found) =>
      found.replace(/\\[ux]\{?([0-9a-fA-F]+)\}?/gu, (_, digits: string) => {
        const code = parseInt(digits, 16)
        return code <= 0x10ffff ? String.fromCodePoint(code) : ""
      }),
  ],
]

const isReadable = (text: string): boolean => {
  const letters = text.match(/[\p{L}\p{N}\s.,;:'"!?/_-]/gu)?.length ?? 0
  return text.length >= 4 && letters / text.length > 0.85
}

/** Names and paths are long as well, but they are made of words. */
const looksRandom = (text: string): boolean =>
  /[a-z]/u.test(text) && /[A-Z]/u.test(text) && /\d/u.test(text) && !/^[a-z]+(?:[A-Z][a-z]+)+\d*$/u.test(text)

const encoded = (text: string, names: Names, cues: Cues, layer: number): void => {
  for (const [pattern, decode] of decoders) {
    for (const [found] of text.matchAll(pattern)) {
      const inside = decode(found)
      const isSaying = inside !== undefined && inside !== found && isReadable(inside)
      if (isSaying && (pattern !== base64 || /\s|[a-z]{4}/iu.test(inside))) {
        cues.add("encoded", inside)
        if (layer < layersMax) gather(inside, names, cues, layer + 1)
      } else if (pattern === base64 ? looksRandom(found) : pattern === hex) cues.add("encoded", found)
    }
  }
}

const gather = (text: string, names: Names, cues: Cues, layer: number): void => {
  const shown = unveil(text)
  for (const one of shown.characters) cues.add("hidden", codePoint(one))
  if (shown.terminal) cues.add("hidden", "a sequence of a terminal")
  if (shown.spelled !== "") {
    cues.add("hidden", `spelled in tags: ${shown.spelled}`)
    if (layer < layersMax) gather(shown.spelled, names, cues, layer + 1)
  }
  let visible = shown.text
  if (visible.length > TEXT_CHARS_MAX) {
    cues.add("oversize", `${visible.length} characters`)
    visible = visible.slice(0, TEXT_CHARS_MAX)
  }
  for (const word of mixedWords(visible)) cues.add("mixedScript", word)
  for (const script of scriptsOf(visible)) cues.add("script", script)
  places(visible, cues)
  encoded(visible, names, cues, layer)
  for (const sentence of sentencesOf(visible)) {
    const folded = fold(sentence)
    const what = folded.replace(/^[\s\p{P}]+|[\s.,;:!?]+$/gu, "").replace(/\s+/gu, " ")
    for (const one of phrasesIn(folded, sentence.toLowerCase())) cues.add(one, what)
  }
  const whole = fold(visible)
  for (const one of disguisedIn(whole)) cues.add(one, `in disguise: ${whole.slice(0, 200)}`)
  for (const { isOwn, name } of names.mentionedIn(visible)) cues.add(isOwn ? "sibling" : "foreign", name)
}

/** Adds what stands in a text. */
export const textCues = (text: string, names: Names, cues: Cues): void => {
  if (text.length > 1) gather(text, names, cues, 0)
}
