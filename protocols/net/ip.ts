/** IP addresses between text and bytes. */

/** The longest text of an IPv6 address, six groups and a dotted tail. */
const IPV6_CHARS_MAX = 45

/** Four decimal numbers; the shorter and octal forms that some resolvers accept are not addresses here. */
export const parseIpv4 = (text: string): Uint8Array | undefined => {
  if (text.length < 7 || text.length > 15) return undefined
  const parts = text.split(".")
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[i] = Number(part)
  }
  return bytes
}

const groupsOf = (text: string): ReadonlyArray<number> | undefined => {
  if (text === "") return []
  const parts = text.split(":")
  const groups: Array<number> = []
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const tail = i === parts.length - 1 ? parseIpv4(part) : undefined
    if (tail === undefined) return undefined
    const [a = 0, b = 0, c = 0, d = 0] = tail
    groups.push((a << 8) | b, (c << 8) | d)
  }
  return groups
}

/** Without brackets or zone (RFC 4291 §2.2). */
export const parseIpv6 = (text: string): Uint8Array | undefined => {
  if (text.length < 2 || text.length > IPV6_CHARS_MAX) return undefined
  const gap = text.indexOf("::")
  const head = groupsOf(gap < 0 ? text : text.slice(0, gap))
  const tail = gap < 0 ? [] : groupsOf(text.slice(gap + 2))
  if (head === undefined || tail === undefined) return undefined
  if (gap < 0 ? head.length !== 8 : head.length + tail.length > 7 || text.slice(0, gap).includes(".")) return undefined
  const bytes = new Uint8Array(16)
  const put = (group: number, at: number) => {
    bytes[at * 2] = group >> 8
    bytes[at * 2 + 1] = group & 0xff
  }
  for (const [i, group] of head.entries()) put(group, i)
  for (const [i, group] of tail.entries()) put(group, 8 - tail.length + i)
  return bytes
}

export const isIpv4 = (text: string): boolean => parseIpv4(text) !== undefined

export const isIpv6 = (text: string): boolean => parseIpv6(text) !== undefined

/** Four or sixteen bytes, or undefined. */
export const parseIp = (text: string): Uint8Array | undefined =>
  text.includes(":") ? parseIpv6(text) : parseIpv4(text)

/** The canonical text (RFC 5952): lower case, the longest run of zero groups left out, mapped IPv4 dotted. */
export const formatIp = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join(".")
  const groups: Array<number> = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12, 16).join(".")}`
  }
  let from = 0
  let length = 0
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > length) {
      from = i
      length = end - i
    }
  }
  const text = (part: ReadonlyArray<number>) => part.map((group) => group.toString(16)).join(":")
  return length < 2 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`
}
