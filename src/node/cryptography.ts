/** Computations on secrets with what Node has and, once they are needed, the libraries for tokens and passwords. */
import { hash, randomBytes } from "node:crypto"
import type { Cryptography } from "../../stages/ports/Cryptography.ts"

let jose: Promise<typeof import("jose")> | undefined
let passwords: Promise<typeof import("./passwords.ts")> | undefined

export const cryptography: Cryptography = {
  sha256: (data) => hash("sha256", data),
  digest: (data) => hash("sha256", data, "base64url"),
  random: (bytes) => randomBytes(bytes).toString("base64url"),
  verifyPassword: async (password, hashed) => (await (passwords ??= import("./passwords.ts"))).verify(password, hashed),
  verifySignature: async (token, jwk, algorithm) => {
    const { compactVerify } = await (jose ??= import("jose"))
    try {
      await compactVerify(token, jwk, { algorithms: [algorithm] })
      return true
    } catch {
      return false
    }
  },
}
