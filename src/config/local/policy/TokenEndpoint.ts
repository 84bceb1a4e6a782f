/** Where tokens are asked for, and how the gateway proves there who it is. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { ClientAuth as IrClientAuth, TokenEndpointPolicy } from "../../../../ir/policy/TokenEndpoint.ts"
import { compileEdits as ofRequest } from "../../../../stages/5-policy/requestHeaderModifier.ts"
import type { Path } from "../../ConfigIssue.ts"
import { reference, refFields } from "../BackendRef.ts"
import { FileOrInline, secret } from "../FileOrInline.ts"
import { anyCase, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { BackendHttp, backendHttp } from "./BackendHttp.ts"
import { BackendTcp, backendTcp } from "./BackendTcp.ts"
import { BackendTls, backendTls, plainTls } from "./BackendTls.ts"
import { extraCredentials, OwnAuth, ownKind } from "./CloudAuth.ts"
import { HeaderEdits, headerEdits } from "./HeaderEdits.ts"
import { checkSigningKey, signingAlgorithm } from "./signingKey.ts"
import { Transformations, transformations } from "./Transformations.ts"

export const tokenEndpointPolicies = Schema.Struct({
  requestHeaderModifier: opt(HeaderEdits),
  transformations: opt(Schema.Struct(Transformations)),
  backendTLS: opt(BackendTls),
  backendAuth: opt(OwnAuth),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
})

export const ClientAuth = Schema.Struct({
  method: opt(anyCase(["clientSecretBasic", "clientSecretPost", "privateKeyJwt"])),
  clientId: Schema.NonEmptyString,
  clientSecret: opt(FileOrInline),
  signingKey: opt(FileOrInline),
  alg: opt(signingAlgorithm),
  kid: opt(Schema.NonEmptyString),
  assertionAudience: opt(Schema.NonEmptyString),
  certificate: opt(FileOrInline),
  certificateHeader: opt(anyCase(["x5c", "x5t#S256"])),
})
export type ClientAuth = typeof ClientAuth.Type

export const tokenEndpointFields = {
  ...refFields,
  policies: opt(tokenEndpointPolicies),
  path: opt(Schema.NonEmptyString),
  tokenEndpointPath: opt(Schema.NonEmptyString),
  clientAuth: opt(ClientAuth),
}

export const TokenEndpoint = Schema.Struct(tokenEndpointFields)
export type TokenEndpoint = typeof TokenEndpoint.Type

const clientAuth = (
  auth: NonNullable<TokenEndpoint["clientAuth"]>,
  path: Path,
  to: Mapping,
): IrClientAuth | undefined => {
  const { clientId, method = "clientSecretBasic" } = auth
  const found = auth.clientSecret === undefined ? undefined : secret(auth.clientSecret, [...path, "clientSecret"], to)
  if (method === "clientSecretPost") return { _tag: "ClientSecretPost", clientId, ...present({ clientSecret: found }) }
  if (method === "clientSecretBasic") {
    if (auth.clientSecret === undefined) return to.fail(path, "`clientSecret` is required")
    return found === undefined ? undefined : { _tag: "ClientSecretBasic", clientId, clientSecret: found }
  }
  if (auth.signingKey === undefined || auth.assertionAudience === undefined) {
    return to.fail(path, "`privateKeyJwt` needs `signingKey` and `assertionAudience`")
  }
  const signingKeyPem = secret(auth.signingKey, [...path, "signingKey"], to)
  if (signingKeyPem !== undefined) {
    const algorithm = auth.alg ?? defaults.jwtSignAlgorithm
    checkSigningKey(Redacted.value(signingKeyPem), algorithm, [...path, "signingKey"], to)
  }
  const pem = auth.certificate === undefined ? undefined : secret(auth.certificate, [...path, "certificate"], to)
  return signingKeyPem === undefined
    ? undefined
    : {
        _tag: "PrivateKeyJwt",
        clientId,
        signingKeyPem,
        algorithm: auth.alg ?? defaults.jwtSignAlgorithm,
        assertionAudience: auth.assertionAudience,
        ...present({
          kid: auth.kid,
          certificate:
            pem === undefined
              ? undefined
              : { pem: Redacted.value(pem), header: auth.certificateHeader ?? ("x5c" as const) },
        }),
      }
}

export const tokenEndpoint = (endpoint: TokenEndpoint, path: Path, to: Mapping) => {
  const found = reference(endpoint, path, to)
  if (endpoint.path !== undefined && endpoint.tokenEndpointPath !== undefined) {
    to.fail([...path, "path"], "`path` and `tokenEndpointPath` are two spellings of one field; set one")
  }
  const at = endpoint.path ?? endpoint.tokenEndpointPath ?? defaults.tokenEndpointPath
  if (!at.startsWith("/")) to.fail([...path, "path"], "a path starts with `/`")
  const { policies = {} } = endpoint
  const below = [...path, "policies"]
  const all: Array<TokenEndpointPolicy> = []
  if (policies.requestHeaderModifier !== undefined) {
    const edits = headerEdits(policies.requestHeaderModifier, [...below, "requestHeaderModifier"], to, ofRequest)
    all.push({ _tag: "RequestHeaderModifier", ...edits })
  }
  if (policies.transformations !== undefined) {
    all.push(transformations(policies.transformations, [...below, "transformations"], to))
  }
  const tls =
    policies.backendTLS === undefined ? undefined : backendTls(policies.backendTLS, [...below, "backendTLS"], to)
  if (tls !== undefined) all.push(tls)
  if (policies.backendAuth !== undefined) {
    const auth = ownKind(policies.backendAuth, [...below, "backendAuth"], to)
    const credentials = extraCredentials(policies.backendAuth, [...below, "backendAuth"], to)
    if (auth !== undefined) all.push({ _tag: "BackendAuth", auth, credentials })
  }
  if (policies.http !== undefined) all.push(backendHttp(policies.http))
  if (policies.tcp !== undefined) all.push(backendTcp(policies.tcp))
  if (found?.tls === true && policies.backendTLS === undefined) all.push({ _tag: "BackendTls", tls: plainTls })
  const proof =
    endpoint.clientAuth === undefined ? undefined : clientAuth(endpoint.clientAuth, [...path, "clientAuth"], to)
  return found === undefined
    ? undefined
    : { callee: { backend: found.backend, policies: all }, path: at, ...present({ clientAuth: proof }) }
}
