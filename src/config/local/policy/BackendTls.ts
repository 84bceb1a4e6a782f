/** `backendTLS`: TLS towards a backend. */
import * as Schema from "effect/Schema"
import { systemTrust } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { BackendTls as IrBackendTls } from "../../../../ir/policy/BackendTls.ts"
import type { Path } from "../../ConfigIssue.ts"
import { AlpnName, FileName, Nothing, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { identity, KeyExchangeGroup, roots } from "../tls.ts"

const backendTlsShape = Schema.Struct({
  cert: opt(FileName, "File with the gateway's own certificate chain, in PEM."),
  key: opt(FileName, "File with its private key, in PEM."),
  root: opt(FileName, "File with the authorities to trust; the system's unless set."),
  hostname: opt(Schema.NonEmptyString, "Server name to ask for and to expect."),
  insecure: opt(Schema.Boolean, "Accept any certificate."),
  insecureHost: opt(Schema.Boolean, "Accept a trusted certificate for any name."),
  alpn: opt(Schema.Array(AlpnName)),
  subjectAltNames: opt(Texts, "Names or `spiffe://` URIs of which the certificate must carry one."),
  keyExchangeGroups: opt(Schema.Array(KeyExchangeGroup)),
  spiffe: opt(Nothing, "Take the identity and the authorities from the SPIFFE Workload API."),
}).annotate({ identifier: "BackendTls", description: "TLS towards a backend." })
export interface BackendTlsSchema extends Named<typeof backendTlsShape> {}
export const BackendTls: BackendTlsSchema = backendTlsShape
export type BackendTls = typeof BackendTls.Type

/** What an https URL asks for. */
export const plainTls = systemTrust

export const backendTls = (tls: BackendTls, path: Path, to: Mapping): IrBackendTls | undefined => {
  const { cert, insecure = false, insecureHost = false, key, root } = tls
  if (tls.spiffe !== undefined) {
    for (const other of ["cert", "key", "root", "insecure", "insecureHost"] as const) {
      if (tls[other] !== undefined) to.fail([...path, other], `\`${other}\` cannot be combined with \`spiffe\``)
    }
    to.refused("fields", "backendTLS.spiffe", [...path, "spiffe"])
  }
  if ((cert === undefined) !== (key === undefined)) {
    return to.fail(
      path,
      "`cert` and `key` are set together, or neither is",
      `Add \`${cert === undefined ? "cert" : "key"}\`.`,
    )
  }
  const own = cert !== undefined && key !== undefined ? identity({ cert, key }, path, to) : undefined
  const rootsPem = root === undefined ? undefined : roots(root, [...path, "root"], to)
  if ((cert !== undefined && own === undefined) || (root !== undefined && rootsPem === undefined)) return undefined
  return {
    _tag: "BackendTls",
    tls: {
      ...plainTls,
      ...present({ identity: own, rootsPem, hostname: tls.hostname, alpn: tls.alpn }),
      verify: insecure ? "none" : insecureHost ? "chainOnly" : "full",
      subjectAltNames: tls.subjectAltNames ?? [],
      keyExchangeGroups: tls.keyExchangeGroups ?? [],
    },
    ...present({ spiffe: tls.spiffe === undefined ? undefined : true }),
  }
}
