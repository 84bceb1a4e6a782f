/** Signing tokens; a key is read once. */
import * as Redacted from "effect/Redacted"
import { createPrivateKey, type KeyObject } from "node:crypto"
import type { Credentials } from "../../../stages/ports/Credentials.ts"

let jose: Promise<typeof import("jose")> | undefined

const keys = new WeakMap<Redacted.Redacted, KeyObject>()

export const signJwt: Credentials["signJwt"] = async (header, claims, keyPem, algorithm) => {
  const { CompactSign } = await (jose ??= import("jose"))
  let key = keys.get(keyPem)
  if (key === undefined) keys.set(keyPem, (key = createPrivateKey(Redacted.value(keyPem))))
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ ...header, alg: algorithm })
    .sign(key)
}
