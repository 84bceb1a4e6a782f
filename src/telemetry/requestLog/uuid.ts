/** UUIDs whose order is that of time (RFC 9562 §5.7). */
export const uuidV7 = (unixMillis: number, random: () => number): string => {
  const part = (digits: number): string =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0")
  const time = Math.floor(unixMillis).toString(16).padStart(12, "0")
  const variant = (8 + Math.floor(random() * 4)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${part(3)}-${variant}${part(3)}-${part(6)}${part(6)}`
}
