/** Strings by code point, as the language counts, with a short way for strings that have none beyond U+FFFF. */

export const isBasic = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xf800) === 0xd800) return false
  return true
}

export const length = (text: string): number => {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xd800 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) continue
    count--
    i++
  }
  return count
}

export const slice = (text: string, from: number, to: number): string =>
  isBasic(text) ? text.slice(from, to) : Array.from(text).slice(from, to).join("")

/** Units before code point `index`. */
export const unitsBefore = (text: string, index: number): number =>
  isBasic(text) ? index : Array.from(text).slice(0, index).join("").length

export const indexInPoints = (text: string, unit: number): number => (unit < 0 ? unit : length(text.slice(0, unit)))

const spaces: ReadonlySet<number> = new Set([
  9, 10, 11, 12, 13, 32, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
  0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
])

export const trim = (text: string): string => {
  let start = 0
  let end = text.length
  while (start < end && spaces.has(text.charCodeAt(start))) start++
  while (end > start && spaces.has(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

export const lowerAscii = (text: string): string => text.replace(/[A-Z]+/g, (part) => part.toLowerCase())
export const upperAscii = (text: string): string => text.replace(/[a-z]+/g, (part) => part.toUpperCase())
