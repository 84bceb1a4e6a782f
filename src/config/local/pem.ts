/** Looks into PEM files as far as it takes to say what is wrong with them. */
import * as Result from "effect/Result"
import { createPrivateKey, X509Certificate } from "node:crypto"
import { type Parsed, refuse } from "../Complaint.ts"

const blocks = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g

const select = (text: string, wanted: (label: string) => boolean): ReadonlyArray<string> =>
  [...text.matchAll(blocks)].filter(([, label]) => wanted(label ?? "")).map(([block]) => block)

const isCertificate = (label: string) =>
  label === "CERTIFICATE" || label === "X509 CERTIFICATE" || label === "TRUSTED CERTIFICATE"

/** The certificates of a file, keys and everything else left out. */
export const certificates = (text: string, file: string): Parsed<string> => {
  const found = select(text, isCertificate)
  if (found.length === 0) return refuse(`no certificate in ${file}`, "The file must hold certificates in PEM.")
  for (const [i, one] of found.entries()) {
    try {
      void new X509Certificate(one)
    } catch {
      return refuse(`certificate ${i + 1} in ${file} cannot be read`)
    }
  }
  return Result.succeed(`${found.join("\n")}\n`)
}

/** The one private key of a file. */
export const privateKey = (text: string, file: string): Parsed<string> => {
  const found = select(text, (label) => label.endsWith("PRIVATE KEY"))
  const [key] = found
  if (key === undefined) return refuse(`no private key in ${file}`, "The file must hold one private key in PEM.")
  if (found.length > 1)
    return refuse(`multiple private keys in ${file}`, "Keep the one that belongs to the certificate.")
  try {
    createPrivateKey(key)
  } catch {
    return refuse(
      `the private key in ${file} cannot be read`,
      "PKCS#8, PKCS#1 and SEC1 are understood, without a passphrase.",
    )
  }
  return Result.succeed(`${key}\n`)
}

/** Whether the first certificate is of this key. */
export const belongTogether = (certificatePem: string, keyPem: string): boolean =>
  new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))
