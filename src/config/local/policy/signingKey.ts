/** Keys that tokens are signed with. */
import { createPrivateKey, type KeyObject } from "node:crypto"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

export const signingAlgorithm = anyCase(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"])

const curveOf: Readonly<Record<string, string>> = { ES256: "prime256v1", ES384: "secp384r1" }

/** Whether a key can sign in that way at all. */
export const checkSigningKey = (pem: string, algorithm: string, path: Path, to: Mapping): void => {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    to.fail(path, "this is no private key", "Give a key in PEM, unencrypted.")
    return
  }
  const curve = curveOf[algorithm]
  const fits =
    curve === undefined
      ? key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
      : key.asymmetricKeyDetails?.namedCurve === curve
  if (!fits) to.fail(path, `the key cannot sign with ${algorithm}`, "RS* and PS* need RSA of 2048 bits or more.")
}
