/** The hashes of htpasswd files: bcrypt by a library, the others as compositions of Node's own digests. */
import { hash as digest, createHash, timingSafeEqual } from "node:crypto"

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const md5 = (...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const hash = createHash("md5")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Which bytes of the digest make up each group of four characters. */
const groups = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const

/** Apache's variant of the MD5 scheme of FreeBSD: a thousand rounds, each mixing password and salt in another way. */
export const apr1 = (password: string, salt: string): string => {
  const secret = Buffer.from(password, "utf8")
  const grain = Buffer.from(salt.slice(0, 8), "latin1")
  const magic = Buffer.from("$apr1$", "latin1")
  const inner = md5(secret, grain, secret)
  const parts: Array<Uint8Array> = [secret, magic, grain]
  for (let left = secret.byteLength; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)))
  for (let bits = secret.byteLength; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? Buffer.of(0) : secret.subarray(0, 1))
  }
  let sum = md5(...parts)
  for (let round = 0; round < 1000; round++) {
    const isOdd = (round & 1) === 1
    const mixed: Array<Uint8Array> = [isOdd ? secret : sum]
    if (round % 3 !== 0) mixed.push(grain)
    if (round % 7 !== 0) mixed.push(secret)
    mixed.push(isOdd ? sum : secret)
    sum = md5(...mixed)
  }
  let text = ""
  const write = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) text += alphabet[(value >> (6 * i)) & 0x3f] as string
  }
  for (const [a, b, c] of groups) write(((sum[a] as number) << 16) | ((sum[b] as number) << 8) | (sum[c] as number), 4)
  write(sum[11] as number, 2)
  return `$apr1$${salt.slice(0, 8)}$${text}`
}

const isSame = (one: string, other: string): boolean => {
  const a = Buffer.from(one)
  const b = Buffer.from(other)
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

/** Whether this is the password that was hashed. */
export const isPassword = (
  password: string,
  hash: string,
  compareBcrypt: (password: string, hash: string) => boolean,
): boolean => {
  if (hash.startsWith("$apr1$")) return isSame(apr1(password, hash.split("$")[2] ?? ""), hash)
  if (hash.startsWith("{SHA}")) return isSame(`{SHA}${digest("sha1", password, "base64")}`, hash)
  // `x` and `y` mark hashes of a C library; for its correct ones they are what others call `b`.
  return compareBcrypt(password, hash.replace(/^\$2[axy]\$/, "$2b$"))
}
