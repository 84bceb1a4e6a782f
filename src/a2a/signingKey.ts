import { generateKeyPairSync } from "node:crypto"

/** A private key of P-256, in PEM. */
export const freshSigningKey = (): string =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString()
