/** TLS as the file writes it, towards clients and towards backends. */
import type { Named } from "../../../ir/Named.ts"
import type { ClientTls } from "../../../ir/Tls.ts"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Parsed, refuse } from "../Complaint.ts"
import type { Path } from "../ConfigIssue.ts"
import { chooseFrom } from "../suggest.ts"
import { anyCase, FileName, Nothing, oneSpelling, opt, parsed, wordsFragment } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"
import * as Pem from "./pem.ts"

/** OpenSSL's name for each cipher suite, by every name it has in files. */
const suites: Record<string, string> = {}
for (const [standard, openssl] of [
  ["TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
  ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
  ["TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
] as const) {
  suites[standard] = openssl
  suites[openssl] = openssl
  if (standard === openssl) suites[standard.replace("TLS_", "TLS13_")] = openssl
}

const parseSuite = (text: string): Parsed<string> => {
  const suite = suites[text.toUpperCase()]
  return suite === undefined
    ? refuse(`unknown cipher suite ${JSON.stringify(text)}`, chooseFrom(text, Object.keys(suites), 20))
    : Result.succeed(suite)
}

const CipherSuite = parsed(
  Schema.String,
  parseSuite,
  (suite) => suite,
  () => wordsFragment(Object.keys(suites)),
)

const groups = { X25519: "X25519", "P-256": "P-256", "P-384": "P-384", X25519_MLKEM768: "X25519MLKEM768" }

export const KeyExchangeGroup = parsed(
  Schema.String,
  (text): Parsed<string> => {
    const found = Object.entries(groups).find(
      ([name, openssl]) => name === text.toUpperCase() || openssl === text.toUpperCase(),
    )
    return found === undefined
      ? refuse(`unknown key exchange group ${JSON.stringify(text)}`, chooseFrom(text, Object.keys(groups)))
      : Result.succeed(found[1])
  },
  (group) => Object.entries(groups).find(([, openssl]) => openssl === group)?.[0] ?? group,
  () => wordsFragment(Object.keys(groups)),
)

const versions = { TLS_V1_2: "TLSv1.2", TLS_V1_3: "TLSv1.3" } as const

const Version = parsed(
  Schema.Literals(["TLSv1.2", "TLSv1.3"]),
  (text): Parsed<"TLSv1.2" | "TLSv1.3"> => {
    const name = text.toUpperCase()
    if (name === "TLS_V1_2") return Result.succeed(versions.TLS_V1_2)
    if (name === "TLS_V1_3") return Result.succeed(versions.TLS_V1_3)
    return refuse(
      name === "TLS_V1_0" || name === "TLS_V1_1"
        ? `unsupported TLS version ${text}`
        : `unknown value ${JSON.stringify(text)}`,
      "Use `TLS_V1_2` or `TLS_V1_3`.",
    )
  },
  (version) => (version === "TLSv1.2" ? "TLS_V1_2" : "TLS_V1_3"),
  () => wordsFragment(Object.keys(versions)),
)

export const versionSpellings = [
  ["minTLSVersion", "minTlsVersion"],
  ["maxTLSVersion", "maxTlsVersion"],
] as const

const serverTlsShape = oneSpelling(
  Schema.Struct({
    mode: opt(
      anyCase(["static", "dynamicCa"]),
      "`dynamicCa`: the certificate is an authority that signs one leaf per server name.",
    ),
    cert: opt(FileName, "File with the certificate chain, in PEM."),
    key: opt(FileName, "File with the private key, in PEM; may be the same file as `cert`."),
    root: opt(FileName, "File with the authorities that client certificates are checked against; makes them required."),
    clientCertificates: opt(
      anyCase(["required", "optional"]),
      "With `optional` a client may come without one, and is then nobody in particular; needs `root`.",
    ),
    spiffe: opt(Nothing, "Take the identity from the SPIFFE Workload API."),
    cipherSuites: opt(Schema.Array(CipherSuite)),
    minTLSVersion: opt(Version, "Lowest version accepted; 1.2 unless set."),
    minTlsVersion: opt(Version),
    maxTLSVersion: opt(Version, "Highest version accepted; 1.3 unless set."),
    maxTlsVersion: opt(Version),
    keyExchangeGroups: opt(Schema.Array(KeyExchangeGroup)),
  }),
  versionSpellings,
).annotate({ identifier: "ServerTls", description: "TLS towards clients." })
export interface ServerTlsSchema extends Named<typeof serverTlsShape> {}
export const ServerTls: ServerTlsSchema = serverTlsShape
export type ServerTls = typeof ServerTls.Type

/** The same fields where they override what listeners say. */
export const overrides = {
  minVersion: opt(Version),
  maxVersion: opt(Version),
  cipherSuites: opt(Schema.Array(CipherSuite)),
  keyExchangeGroups: opt(Schema.Array(KeyExchangeGroup)),
}

/** A certificate with the key that belongs to it. */
export const identity = (
  names: { readonly cert: string; readonly key: string },
  path: Path,
  to: Mapping,
): ClientTls["identity"] | undefined => {
  const certText = to.file(names.cert, [...path, "cert"])
  const keyText = to.file(names.key, [...path, "key"])
  if (certText === undefined || keyText === undefined) return undefined
  const certificatePem = to.accept(Pem.certificates(certText, names.cert), [...path, "cert"])
  const keyPem = to.accept(Pem.privateKey(keyText, names.key), [...path, "key"])
  if (certificatePem === undefined || keyPem === undefined) return undefined
  if (!Pem.belongTogether(certificatePem, keyPem)) {
    return to.fail([...path, "key"], `the key in ${names.key} is not that of the certificate in ${names.cert}`)
  }
  return { certificatePem, keyPem: Redacted.make(keyPem) }
}

export const roots = (name: string, path: Path, to: Mapping): string | undefined => {
  const text = to.file(name, path)
  return text === undefined ? undefined : to.accept(Pem.certificates(text, name), path)
}
