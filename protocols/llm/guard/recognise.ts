/**
 * What can be told from text alone: addresses, numbers with a check digit, keys. Every recogniser looks at each
 * character a bounded number of times, whatever the text is.
 */
import type { Span } from "./MaskedText.ts"

export const entities = [
  "email",
  "phoneNumber",
  "creditCard",
  "iban",
  "ssn",
  "caSin",
  "ipAddress",
  "secretKey",
] as const
export type Entity = (typeof entities)[number]

/** As they are written in the place of what was found. */
const entityNames: Readonly<Record<Entity, string>> = {
  email: "EMAIL_ADDRESS",
  phoneNumber: "PHONE_NUMBER",
  creditCard: "CREDIT_CARD",
  iban: "IBAN",
  ssn: "SSN",
  caSin: "CA_SIN",
  ipAddress: "IP_ADDRESS",
  secretKey: "SECRET_KEY",
}

interface Range {
  readonly start: number
  readonly end: number
}

const isWord = (text: string, at: number): boolean => /[A-Za-z0-9_]/.test(text[at] ?? " ")

/** Of digits, doubling every second one from the right. */
const passesLuhn = (digits: string): boolean => {
  let sum = 0
  for (let i = digits.length - 1, second = false; i >= 0; i--, second = !second) {
    const digit = digits.charCodeAt(i) - 48
    sum += second ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return sum % 10 === 0
}

/** ISO 7064 over an account number whose first four characters were moved to its end. */
const passesMod97 = (iban: string): boolean => {
  let rest = 0
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

const LOCAL_MAX = 64
const DOMAIN_MAX = 253

/** Both sides of every `@`, as far as they reach. */
const emails = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  let free = 0
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    let start = at
    while (start > free && at - start < LOCAL_MAX && /[A-Za-z0-9_.+%-]/.test(text[start - 1] ?? "")) start--
    while (start < at && text[start] === ".") start++
    let end = at + 1
    while (end < text.length && end - at <= DOMAIN_MAX && /[A-Za-z0-9.-]/.test(text[end] ?? "")) end++
    while (end > at + 1 && /[.-]/.test(text[end - 1] ?? "")) end--
    const domain = text.slice(at + 1, end)
    const labels = domain.split(".")
    const named =
      labels.length > 1 &&
      labels.every((label) => label !== "") &&
      /^[A-Za-z][A-Za-z0-9-]{1,62}$/.test(labels.at(-1) ?? "")
    if (start < at && named) {
      found.push({ start, end })
      free = end
    }
  }
  return found
}

interface Run extends Range {
  readonly digits: string
  readonly text: string
}

/** Runs of digits with no more than one separator in between, not part of a longer word. */
const numberRuns = (text: string, separator: RegExp, least: number, most: number): ReadonlyArray<Run> => {
  const runs: Array<Run> = []
  let at = 0
  while (at < text.length) {
    if (!/[0-9]/.test(text[at] ?? "")) {
      at++
      continue
    }
    const start = at
    let end = at
    let digits = ""
    while (end < text.length) {
      const char = text[end] ?? ""
      if (/[0-9]/.test(char)) digits += char
      else if (!(separator.test(char) && /[0-9]/.test(text[end + 1] ?? ""))) break
      end++
    }
    at = end
    if (digits.length < least || digits.length > most || isWord(text, start - 1) || isWord(text, end)) continue
    runs.push({ start, end, digits, text: text.slice(start, end) })
  }
  return runs
}

/** First digits of the networks, and how long their numbers are. */
const isCard = (digits: string): boolean => {
  const four = Number(digits.slice(0, 4))
  const { length } = digits
  const known =
    (digits.startsWith("4") && (length === 13 || length === 16 || length === 19)) ||
    (((four >= 5100 && four <= 5599) || (four >= 2221 && four <= 2720)) && length === 16) ||
    (/^3[47]/.test(digits) && length === 15) ||
    (/^3(?:0[0-5]|[689])/.test(digits) && length >= 14 && length <= 19) ||
    (digits.startsWith("35") && length >= 16 && length <= 19) ||
    (digits.startsWith("6") && length >= 12 && length <= 19)
  return known && passesLuhn(digits)
}

const cards = (text: string): ReadonlyArray<Range> =>
  numberRuns(text, /[ -]/, 12, 19).filter(({ digits }) => isCard(digits))

/** Numbers that were never given out: area 000, 666 and 9xx, group 00, serial 0000. */
const isSsn = (digits: string): boolean =>
  digits.length === 9 && !/^(?:000|666|9)/.test(digits) && digits.slice(3, 5) !== "00" && digits.slice(5) !== "0000"

const ssnShape = /^(?:\d{9}|\d{3}([-. ])\d{2}\1\d{4}|\d{5}-\d{4}|\d{3}-\d{6})$/

const socialSecurity = (text: string): ReadonlyArray<Range> =>
  numberRuns(text, /[-. ]/, 9, 9).filter((run) => ssnShape.test(run.text) && isSsn(run.digits))

const socialInsurance = (text: string): ReadonlyArray<Range> =>
  numberRuns(text, /[- ]/, 9, 9).filter(
    (run) =>
      /^(?:\d{9}|\d{3}([- ])\d{3}\1\d{3})$/.test(run.text) && !/^[08]/.test(run.digits) && passesLuhn(run.digits),
  )

/** How long the account numbers of a country are (ISO 13616). */
const ibanLengths = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 " +
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 " +
    "MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 " +
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((one) => [one.slice(0, 2), Number(one.slice(2))] as const),
)

const ibans = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  const head = /[A-Z]{2}[0-9]{2}/g
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const start = match.index
    const length = ibanLengths.get(text.slice(start, start + 2))
    if (length === undefined || isWord(text, start - 1)) continue
    let end = start
    let plain = ""
    while (end < text.length && plain.length < length) {
      const char = text[end] ?? ""
      if (/[A-Z0-9]/.test(char)) plain += char
      // Printed in groups of four.
      else if (char !== " " || plain.length % 4 !== 0 || text[end - 1] === " ") break
      end++
    }
    if (plain.length < length || isWord(text, end) || !passesMod97(plain)) continue
    found.push({ start, end })
    head.lastIndex = end
  }
  return found
}

/** Digits that a number of the country has after its calling code, of the countries most numbers are from. */
const callingCodes: ReadonlyArray<readonly [code: string, least: number, most: number]> = [
  ["1", 10, 10],
  ["7", 10, 10],
  ["20", 8, 10],
  ["27", 9, 9],
  ["30", 10, 10],
  ["31", 9, 9],
  ["32", 8, 9],
  ["33", 9, 9],
  ["34", 9, 9],
  ["36", 8, 9],
  ["39", 6, 11],
  ["40", 9, 9],
  ["41", 9, 9],
  ["43", 7, 13],
  ["44", 9, 10],
  ["45", 8, 8],
  ["46", 7, 10],
  ["47", 8, 8],
  ["48", 9, 9],
  ["49", 7, 12],
  ["52", 10, 10],
  ["55", 10, 11],
  ["61", 9, 9],
  ["81", 9, 10],
  ["82", 8, 10],
  ["86", 10, 11],
  ["90", 10, 10],
  ["91", 10, 10],
  ["972", 8, 9],
]

const isInternational = (digits: string): boolean => {
  const known = callingCodes.find(([code]) => digits.startsWith(code))
  const rest = digits.length - (known?.[0].length ?? 0)
  return known === undefined
    ? digits.length >= 9 && digits.length <= 15 && !digits.startsWith("0")
    : rest >= known[1] && rest <= known[2]
}

/** Without a calling code: North America, Britain, Germany, Israel, India, Brazil. */
const isNational = (digits: string, hasSeparators: boolean): boolean =>
  /^1?[2-9]\d{2}[2-9]\d{6}$/.test(digits) ||
  /^0[1-9]\d{8,9}$/.test(digits) ||
  (hasSeparators && /^0[1-9]\d{6,10}$/.test(digits)) ||
  /^[6-9]\d{9}$/.test(digits) ||
  (hasSeparators && /^[1-9]{2}9?\d{8}$/.test(digits))

const PHONE_CHARS_MAX = 32

const phones = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  let at = 0
  while (at < text.length) {
    if (!/[0-9+(]/.test(text[at] ?? "")) {
      at++
      continue
    }
    const start = at
    let end = at
    while (end < text.length && /[0-9() .+/-]/.test(text[end] ?? "")) end++
    at = end
    if (isWord(text, start - 1) || (isWord(text, end) && isWord(text, end - 1))) continue
    // Sentences end after numbers, and lists of numbers are set apart by more than one space.
    let from = start
    for (const part of text.slice(start, end).split(/( {2,}|\. )/)) {
      const candidate = part.replace(/[ .(/-]+$/, "")
      const digits = candidate.replaceAll(/[^0-9]/g, "")
      const isInside = candidate.length >= 8 && candidate.length <= PHONE_CHARS_MAX
      const plus = candidate.indexOf("+")
      const isNumber =
        plus === 0
          ? candidate.indexOf("+", 1) < 0 &&
            isInternational(
              digits.replace(/^(\d{1,3})0/, (whole, code: string) => (candidate.includes("(0)") ? code : whole)),
            )
          : plus < 0 && isNational(digits, /[ ()./-]/.test(candidate)) && !/^\d{1,3}(?:\.\d{1,3}){3}$/.test(candidate)
      if (isInside && isNumber) found.push({ start: from, end: from + candidate.length })
      from += part.length
    }
  }
  return found
}

const addresses = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  const four = /[0-9]{1,3}(?:\.[0-9]{1,3}){3}/g
  for (let match = four.exec(text); match !== null; match = four.exec(text)) {
    const end = match.index + match[0].length
    const isWhole =
      !/[\w.]/.test(text[match.index - 1] ?? " ") &&
      !/\w/.test(text[end] ?? " ") &&
      !/^\.\d/.test(text.slice(end, end + 2))
    if (isWhole && match[0].split(".").every((part) => Number(part) <= 255)) found.push({ start: match.index, end })
  }
  const six = /[0-9A-Fa-f:]{6,39}/g
  for (let match = six.exec(text); match !== null; match = six.exec(text)) {
    const [candidate] = match
    const end = match.index + candidate.length
    const groups = candidate.split(":")
    const isAddress =
      groups.every((group) => group.length <= 4) &&
      (groups.length === 8
        ? groups.every((group) => group !== "")
        : groups.length > 2 && groups.length < 8 && candidate.split("::").length === 2)
    if (isAddress && /\d/.test(candidate) && !isWord(text, match.index - 1) && !isWord(text, end))
      found.push({ start: match.index, end })
  }
  return found
}

/** Keys that say whose they are. */
const keyShapes: ReadonlyArray<RegExp> = [
  /sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{20,200}/g,
  /(?:AKIA|ASIA)[A-Z0-9]{16}/g,
  /AIza[A-Za-z0-9_-]{35}/g,
  /gh[pousr]_[A-Za-z0-9]{36,100}/g,
  /github_pat_[A-Za-z0-9_]{50,120}/g,
  /xox[abprs]-[A-Za-z0-9-]{10,100}/g,
  /glpat-[A-Za-z0-9_-]{20,60}/g,
  /hf_[A-Za-z0-9]{30,60}/g,
]

/** Signed tokens: three parts, of which the first is the beginning of a JSON object. */
const tokens = (text: string): ReadonlyArray<Range> => {
  const found: Array<Range> = []
  const word = /[A-Za-z0-9_.-]+/g
  for (let match = word.exec(text); match !== null; match = word.exec(text)) {
    const token = match[0].replace(/\.$/, "")
    const parts = token.split(".", 4)
    if (token.startsWith("eyJ") && parts.length === 3 && parts.every((part) => part.length >= 10))
      found.push({ start: match.index, end: match.index + token.length })
  }
  return found
}

const secrets = (text: string): ReadonlyArray<Range> => [
  ...tokens(text),
  ...keyShapes.flatMap((shape) => {
    const found: Array<Range> = []
    shape.lastIndex = 0
    for (let match = shape.exec(text); match !== null; match = shape.exec(text))
      if (!isWord(text, match.index - 1)) found.push({ start: match.index, end: match.index + match[0].length })
    return found
  }),
]

const recognisers: Readonly<Record<Entity, (text: string) => ReadonlyArray<Range>>> = {
  email: emails,
  phoneNumber: phones,
  creditCard: cards,
  iban: ibans,
  ssn: socialSecurity,
  caSin: socialInsurance,
  ipAddress: addresses,
  secretKey: secrets,
}

/** Where something is, with the name that may stand in its place; what overlaps is one. */
export const recognise = (entity: Entity, text: string): ReadonlyArray<Span> =>
  merge(recognisers[entity](text), `<${entityNames[entity]}>`)

const merge = (ranges: ReadonlyArray<Range>, text: string): ReadonlyArray<Span> => {
  const merged: Array<{ start: number; end: number; text: string }> = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && range.start < last.end) last.end = Math.max(last.end, range.end)
    else merged.push({ start: range.start, end: range.end, text })
  }
  return merged
}

/** Letter by letter, so that every place keeps its number. */
const folded = (text: string): string => {
  let out = ""
  for (const char of text) {
    const lower = char.toLowerCase()
    out += lower.length === char.length ? lower : char
  }
  return out
}

/** Whole words or phrases, whatever their case. */
export const keywords = (words: ReadonlyArray<string>): ((text: string) => ReadonlyArray<Span>) => {
  const wanted = words.map(folded).filter((word) => word.trim() !== "")
  return (text) => {
    const plain = folded(text)
    const found: Array<Range> = []
    for (const word of wanted)
      for (let at = plain.indexOf(word); at >= 0; at = plain.indexOf(word, at + word.length)) {
        const end = at + word.length
        const letter = /[\p{L}\p{N}_]/u
        const before = letter.test(word[0] ?? "") && letter.test(plain[at - 1] ?? " ")
        const after = letter.test(word.at(-1) ?? "") && letter.test(plain[end] ?? " ")
        if (!before && !after) found.push({ start: at, end })
      }
    return merge(found, "<masked>")
  }
}
