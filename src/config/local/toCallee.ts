/** References to backends, credentials and calls of the gateway's own, from the file's words to the snapshot's. */
import * as Redacted from "effect/Redacted"
import { createPrivateKey, type KeyObject } from "node:crypto"
import type { BackendRef } from "../../../ir/BackendRef.ts"
import * as Defaults from "../../../ir/defaults.ts"
import type { Expression, NamedExpression } from "../../../ir/Expression.ts"
import { isForProxy } from "../../../ir/isForProxy.ts"
import type { BackendAuth as IrBackendAuth, BackendAuthKind } from "../../../ir/policy/BackendAuth.ts"
import type { BackendHttp as IrBackendHttp } from "../../../ir/policy/BackendHttp.ts"
import type { BackendTcp as IrBackendTcp } from "../../../ir/policy/BackendTcp.ts"
import type { BackendTls as IrBackendTls } from "../../../ir/policy/BackendTls.ts"
import type { BackendTunnel as IrBackendTunnel } from "../../../ir/policy/BackendTunnel.ts"
import type { Callee as IrCallee, CalleePolicy } from "../../../ir/policy/Callee.ts"
import type { AwsRole, AzureSource, OwnAuth as IrOwnAuth } from "../../../ir/policy/CloudAuth.ts"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import type { Document } from "../../../ir/policy/Document.ts"
import type { HeaderEdits as IrHeaderEdits, HeaderValue } from "../../../ir/policy/HeaderEdits.ts"
import type { Keepalive as IrKeepalive } from "../../../ir/policy/Keepalive.ts"
import type { ClientAuth as IrClientAuth, TokenEndpointPolicy } from "../../../ir/policy/TokenEndpoint.ts"
import type {
  CrossAppAccess as IrCrossAppAccess,
  OauthClientCredentials as IrOauthClientCredentials,
  OauthTokenExchange as IrOauthTokenExchange,
  SubjectToken,
} from "../../../ir/policy/TokenExchange.ts"
import type { ComputedHeader, Transformation as IrTransformation } from "../../../ir/policy/Transformations.ts"
import type { Secret } from "../../../ir/Secret.ts"
import type { ClientTls } from "../../../ir/Tls.ts"
import type { Path } from "../ConfigIssue.ts"
import type {
  BackendAuth,
  BackendTunnel,
  Callee,
  CalleePolicies,
  CrossAppAccess,
  HeaderEdits,
  Keepalive,
  Location,
  OauthClientCredentials,
  OauthTokenExchange,
  OwnAuth,
  SimpleRef,
  TokenEndpoint,
  Transformation,
} from "./callee.ts"
import type { FileInlineOrRemote, FileOrInline } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"
import * as Pem from "./pem.ts"
import { present } from "./present.ts"
import type { BackendTls } from "./tls.ts"

export const expressions = (map: Readonly<Record<string, Expression>> = {}): ReadonlyArray<NamedExpression> =>
  Object.entries(map).map(([name, expression]) => ({ name, expression }))

const token = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/
// A line break or a null byte in a value would let configuration write headers of its own.
const forbidden = /[\0\r\n]/

export const headerName = (name: string, path: Path, to: Mapping): string => {
  const lower = name.toLowerCase()
  if (!token.test(lower)) to.fail(path, `${JSON.stringify(name)} is not a header name`)
  return lower
}

export const headerNames = (names: ReadonlyArray<string> = [], path: Path, to: Mapping): ReadonlyArray<string> =>
  names.map((name, i) => headerName(name, [...path, i], to))

export const computedHeaders = (
  map: Readonly<Record<string, Expression>> = {},
  path: Path,
  to: Mapping,
): ReadonlyArray<ComputedHeader> =>
  Object.entries(map).map(([name, expression]) => ({ name: headerName(name, [...path, name], to), expression }))

const headerValues = (
  map: Readonly<Record<string, string>> = {},
  path: Path,
  to: Mapping,
): ReadonlyArray<HeaderValue> =>
  Object.entries(map).map(([name, value]) => {
    if (forbidden.test(value)) to.fail([...path, name], "a header value cannot contain line breaks or null bytes")
    return { name: headerName(name, [...path, name], to), value }
  })

export const headerEdits = (edits: HeaderEdits, path: Path, to: Mapping): IrHeaderEdits => ({
  add: headerValues(edits.add, [...path, "add"], to),
  set: headerValues(edits.set, [...path, "set"], to),
  remove: headerNames(edits.remove, [...path, "remove"], to),
})

export const location = (at: Location, path: Path, to: Mapping): CredentialLocation => {
  if (at.header !== undefined) {
    const { name, prefix } = at.header
    return { _tag: "Header", ...present({ name: headerName(name, [...path, "header", "name"], to), prefix }) }
  }
  if (at.queryParameter !== undefined) return { _tag: "Query", name: at.queryParameter.name }
  if (at.cookie !== undefined) return { _tag: "Cookie", name: at.cookie.name }
  return { _tag: "Computed", expression: at.expression ?? ("null" as Expression) }
}

const insertable = (at: Location | undefined, path: Path, to: Mapping): CredentialLocation => {
  if (at?.expression !== undefined) to.fail(path, "`expression` can only read a credential, not put one in")
  return at === undefined ? Defaults.bearer : location(at, path, to)
}

/** Keys and secrets are trimmed, because editors end files with a line break. */
export const secret = (source: FileOrInline, path: Path, to: Mapping): Secret | undefined => {
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "file"])
  if (text === undefined) return undefined
  const trimmed = text.trim()
  return trimmed === "" ? to.fail(path, "the secret is empty") : Redacted.make(trimmed)
}

export const document = (source: FileInlineOrRemote, path: Path, to: Mapping): Document | undefined => {
  if (typeof source !== "string" && "url" in source) return { _tag: "Remote", url: source.url }
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "file"])
  return text === undefined ? undefined : text.trim() === "" ? to.fail(path, "is empty") : { _tag: "Inline", text }
}

export const simpleRef = (ref: SimpleRef, path: Path, to: Mapping): BackendRef | undefined => {
  if (ref.host !== undefined) return to.host(ref.host)
  if (ref.backend !== undefined) return to.backend(ref.backend, [...path, "backend"])
  if (ref.service !== undefined) return to.service(ref.service.name, ref.service.port, [...path, "service"])
  return undefined
}

/** What an https URL asks for. */
export const plainTls = Defaults.systemTrust

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

export const keepalive = (one: Keepalive): IrKeepalive => ({
  enabled: one.enabled ?? Defaults.keepalive.enabled,
  timeMillis: one.time ?? Defaults.keepalive.timeMillis,
  intervalMillis: one.interval ?? Defaults.keepalive.intervalMillis,
  retries: one.retries ?? Defaults.keepalive.retries,
})

export const backendHttp = (http: NonNullable<CalleePolicies["http"]>): IrBackendHttp => ({
  _tag: "BackendHttp",
  ...present({ version: http.version, requestTimeoutMillis: http.requestTimeout }),
})

export const backendTcp = (tcp: NonNullable<CalleePolicies["tcp"]>): IrBackendTcp => ({
  _tag: "BackendTcp",
  ...present({
    keepalive: tcp.keepalives === undefined ? undefined : keepalive(tcp.keepalives),
    connectTimeoutMillis: tcp.connectTimeout,
  }),
})

const fixedKey = (
  key: NonNullable<Exclude<OwnAuth, string>["key"]>,
  path: Path,
  to: Mapping,
): Extract<IrOwnAuth, { _tag: "Key" }> | undefined => {
  const placed = typeof key === "object" && "value" in key
  const value = placed ? secret(key.value, [...path, "value"], to) : secret(key, path, to)
  const at = insertable(placed ? key.location : undefined, [...path, "location"], to)
  return value === undefined ? undefined : { _tag: "Key", value, location: at }
}

export const backendTunnel = (tunnel: BackendTunnel, path: Path, to: Mapping): IrBackendTunnel | undefined => {
  const proxy = simpleRef(tunnel.proxy, [...path, "proxy"], to)
  const { backendAuth, backendTLS, tcp } = tunnel.policies ?? {}
  const tls = backendTLS === undefined ? undefined : backendTls(backendTLS, [...path, "policies", "backendTLS"], to)
  const key = backendAuth?.key
  const auth = key === undefined ? undefined : fixedKey(key, [...path, "policies", "backendAuth", "key"], to)
  if (auth !== undefined && !isForProxy(auth.location)) {
    return to.fail(
      [...path, "policies", "backendAuth", "key"],
      "a proxy takes its credential in the authorization header only",
      "Leave `location` out, or name the header `proxy-authorization`.",
    )
  }
  if (backendTLS !== undefined) {
    return to.fail(
      [...path, "policies", "backendTLS"],
      "a proxy that is spoken to over TLS is not built yet",
      "Name a proxy that takes plain connections; what goes through it to the backend may still be TLS.",
    )
  }
  if (
    proxy === undefined ||
    (backendTLS !== undefined && tls === undefined) ||
    (key !== undefined && auth === undefined)
  ) {
    return undefined
  }
  return {
    _tag: "BackendTunnel",
    proxy,
    ...present({ tls: tls?.tls, tcp: tcp === undefined ? undefined : backendTcp(tcp), auth }),
  }
}

export const transformation = (one: Transformation, path: Path, to: Mapping): IrTransformation => ({
  metadata: expressions(one.metadata),
  ...present({ replace: one.replace, body: one.body }),
  add: computedHeaders(one.add, [...path, "add"], to),
  set: computedHeaders(one.set, [...path, "set"], to),
  remove: headerNames(one.remove, [...path, "remove"], to),
})

export const transformations = (
  both: { readonly request?: Transformation; readonly response?: Transformation },
  path: Path,
  to: Mapping,
) => ({
  _tag: "Transformations" as const,
  ...present({
    request: both.request === undefined ? undefined : transformation(both.request, [...path, "request"], to),
    response: both.response === undefined ? undefined : transformation(both.response, [...path, "response"], to),
  }),
})

type Computable = string | { readonly expression: Expression }

const text = (value: Computable) =>
  typeof value === "string"
    ? ({ _tag: "Fixed", value } as const)
    : ({ _tag: "Computed", expression: value.expression } as const)

const awsRole = (role: NonNullable<NonNullable<Exclude<OwnAuth, string>["aws"]>["assumeRole"]>): AwsRole => ({
  roleArn: role.roleArn,
  ...present({ sessionName: role.sessionName === undefined ? undefined : text(role.sessionName) }),
  tags: (role.tags ?? []).map(({ expression, key, value }) => ({
    key,
    value: expression === undefined ? text(value ?? "") : text({ expression }),
  })),
})

const sessionName = /^[\w+=,.@-]{2,64}$/
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** What the token service of AWS would refuse whatever the request is. */
const checkRole = ({ roleArn, sessionName: name, tags }: AwsRole, path: Path, to: Mapping): void => {
  if (!/^arn:[\w-]+:iam::\d{12}:role\/.+$/.test(roleArn)) {
    to.fail([...path, "roleArn"], "expected `arn:aws:iam::ACCOUNT:role/NAME`")
  }
  if (name?._tag === "Fixed" && !sessionName.test(name.value)) {
    to.fail([...path, "sessionName"], "expected 2 to 64 letters, digits and `+=,.@-_`")
  }
  if (tags.length > 50) to.fail([...path, "tags"], "a session has 50 tags at most")
  const keys = new Set<string>()
  for (const [i, { key, value }] of tags.entries()) {
    if (keys.has(key)) to.fail([...path, "tags", i, "key"], `two tags are called ${JSON.stringify(key)}`)
    keys.add(key)
    if (key.length > 128 || !tagText.test(key)) {
      to.fail([...path, "tags", i, "key"], "expected at most 128 letters, digits, spaces and `_.:/=+-@`")
    }
    if (value._tag === "Fixed" && (value.value.length > 256 || !tagText.test(value.value))) {
      to.fail([...path, "tags", i, "value"], "expected at most 256 letters, digits, spaces and `_.:/=+-@`")
    }
  }
}

const gcpKinds = [
  "authorized_user",
  "service_account",
  "impersonated_service_account",
  "external_account",
  "external_account_authorized_user",
  "gdch_service_account",
]

const checkGcp = (text: string, isIdToken: boolean, path: Path, to: Mapping): void => {
  let type: unknown
  try {
    type = (JSON.parse(text) as { readonly type?: unknown } | null)?.type
  } catch {
    to.fail(path, "the credential is not JSON")
    return
  }
  if (typeof type !== "string" || !gcpKinds.includes(type)) {
    to.fail(path, `the \`type\` of the credential is none of ${gcpKinds.map((one) => `\`${one}\``).join(", ")}`)
  } else if (type === "gdch_service_account" && !isIdToken) {
    to.fail(path, "a `gdch_service_account` gives identity tokens only", "Set `type: idToken` and an `audience`.")
  }
}

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

const azureSource = (azure: NonNullable<Exclude<OwnAuth, string>["azure"]>): AzureSource => {
  const { clientSecret, managedIdentity } = azure.explicitConfig ?? {}
  if (clientSecret !== undefined) {
    return {
      _tag: "ClientSecret",
      tenantId: clientSecret.tenant_id,
      clientId: clientSecret.client_id,
      clientSecret: Redacted.make(clientSecret.client_secret),
    }
  }
  if (managedIdentity !== undefined) {
    const [assigned] = Object.entries(managedIdentity.userAssignedIdentity ?? {})
    const userAssigned =
      assigned === undefined
        ? undefined
        : { by: assigned[0] as "clientId" | "objectId" | "resourceId", id: assigned[1] }
    return { _tag: "ManagedIdentity", ...present({ userAssigned }) }
  }
  if (azure.explicitConfig !== undefined) return { _tag: "WorkloadIdentity" }
  return azure.developerImplicit === undefined ? { _tag: "Implicit" } : { _tag: "DeveloperImplicit" }
}

const jwtSign = (
  sign: NonNullable<Exclude<OwnAuth, string>["jwtSign"]>,
  path: Path,
  to: Mapping,
): Extract<IrOwnAuth, { _tag: "JwtSign" }> | undefined => {
  const key = secret(sign.signingKey, [...path, "signingKey"], to)
  for (const reserved of ["iat", "exp", "nbf"]) {
    if (sign.claims !== undefined && Object.hasOwn(sign.claims, reserved)) {
      to.fail([...path, "claims", reserved], `the claim \`${reserved}\` is set by the gateway`)
    }
  }
  const lifetimeMillis = sign.ttl ?? Defaults.defaults.jwtSignLifetimeMillis
  if (lifetimeMillis < 1000) to.fail([...path, "ttl"], "a token lives one second at least")
  const algorithm = sign.alg ?? Defaults.defaults.jwtSignAlgorithm
  if (key !== undefined) checkSigningKey(Redacted.value(key), algorithm, [...path, "signingKey"], to)
  return key === undefined
    ? undefined
    : {
        _tag: "JwtSign",
        signingKeyPem: key,
        algorithm,
        ...present({ kid: sign.kid }),
        claims: sign.claims ?? {},
        lifetimeMillis,
        location: insertable(sign.location, [...path, "location"], to),
      }
}

const ownKind = (auth: OwnAuth, path: Path, to: Mapping): IrOwnAuth | undefined => {
  if (typeof auth === "string" || auth.copilot !== undefined) return { _tag: "Copilot" }
  if (auth.passthrough !== undefined) {
    const at = insertable(auth.passthrough.location, [...path, "passthrough", "location"], to)
    return { _tag: "Passthrough", location: at }
  }
  if (auth.key !== undefined) return fixedKey(auth.key, [...path, "key"], to)
  if (auth.gcp !== undefined) {
    const { audience, credential, type = "accessToken" } = auth.gcp
    if (type === "accessToken" && audience !== undefined)
      to.fail([...path, "gcp", "audience"], "only id tokens have an audience")
    const found = credential === undefined ? undefined : secret(credential, [...path, "gcp", "credential"], to)
    if (credential !== undefined && found === undefined) return undefined
    if (found !== undefined) checkGcp(Redacted.value(found), type === "idToken", [...path, "gcp", "credential"], to)
    return {
      _tag: "Gcp",
      token: type === "accessToken" ? { _tag: "AccessToken" } : { _tag: "IdToken", ...present({ audience }) },
      ...present({ credential: found }),
    }
  }
  if (auth.aws !== undefined) {
    const { accessKeyId, assumeRole, region, secretAccessKey, serviceName, sessionToken } = auth.aws
    const credentials =
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : {
            accessKeyId,
            secretAccessKey: Redacted.make(secretAccessKey),
            ...present({ sessionToken: sessionToken === undefined ? undefined : Redacted.make(sessionToken) }),
          }
    const role = assumeRole === undefined ? undefined : awsRole(assumeRole)
    if (role !== undefined) checkRole(role, [...path, "aws", "assumeRole"], to)
    return { _tag: "Aws", ...present({ credentials, region, serviceName, assumeRole: role }) }
  }
  if (auth.azure !== undefined) return { _tag: "Azure", source: azureSource(auth.azure) }
  if (auth.jwtSign !== undefined) return jwtSign(auth.jwtSign, [...path, "jwtSign"], to)
  return undefined
}

const extraCredentials = (auth: OwnAuth, path: Path, to: Mapping) =>
  typeof auth === "string"
    ? []
    : [
        ...(auth.credentials ?? []).flatMap((one, i) => {
          const value = secret(one.key, [...path, "credentials", i, "key"], to)
          const at = insertable(one.location, [...path, "credentials", i, "location"], to)
          return value === undefined ? [] : [{ location: at, value }]
        }),
        ...(auth.headers ?? []).flatMap(({ name, prefix, value: source }, i) => {
          const value = secret(source, [...path, "headers", i, "value"], to)
          const header = { name, ...present({ prefix }) }
          const at = insertable({ header }, [...path, "headers", i], to)
          return value === undefined ? [] : [{ location: at, value }]
        }),
      ]

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
    const algorithm = auth.alg ?? Defaults.defaults.jwtSignAlgorithm
    checkSigningKey(Redacted.value(signingKeyPem), algorithm, [...path, "signingKey"], to)
  }
  const pem = auth.certificate === undefined ? undefined : secret(auth.certificate, [...path, "certificate"], to)
  return signingKeyPem === undefined
    ? undefined
    : {
        _tag: "PrivateKeyJwt",
        clientId,
        signingKeyPem,
        algorithm: auth.alg ?? Defaults.defaults.jwtSignAlgorithm,
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

const tokenEndpoint = (endpoint: TokenEndpoint, path: Path, to: Mapping) => {
  const found = reference(endpoint, path, to)
  if (endpoint.path !== undefined && endpoint.tokenEndpointPath !== undefined) {
    to.fail([...path, "path"], "`path` and `tokenEndpointPath` are two spellings of one field; set one")
  }
  const at = endpoint.path ?? endpoint.tokenEndpointPath ?? Defaults.defaults.tokenEndpointPath
  if (!at.startsWith("/")) to.fail([...path, "path"], "a path starts with `/`")
  const { policies = {} } = endpoint
  const below = [...path, "policies"]
  const all: Array<TokenEndpointPolicy> = []
  if (policies.requestHeaderModifier !== undefined) {
    const edits = headerEdits(policies.requestHeaderModifier, [...below, "requestHeaderModifier"], to)
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

const tokenTypes = "urn:ietf:params:oauth:token-type:"

const subject = (
  one: { readonly source?: Location; readonly tokenType?: string } | undefined,
  type: string,
  path: Path,
  to: Mapping,
): SubjectToken => ({
  source: one?.source === undefined ? Defaults.bearer : location(one.source, [...path, "source"], to),
  tokenType: one?.tokenType ?? `${tokenTypes}${type}`,
})

const cache = (one: OauthTokenExchange["cache"]) => ({
  maxEntries: one?.maxEntries ?? Defaults.defaults.tokenCacheEntriesMax,
  defaultLifetimeMillis: one?.defaultTtl ?? Defaults.defaults.tokenCacheMillis,
})

const reservedParameters = new Set([
  "grant_type",
  "subject_token",
  "subject_token_type",
  "actor_token",
  "actor_token_type",
  "requested_token_type",
  "audience",
  "resource",
  "scope",
  "assertion",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
])

const isTokenType = (text: string): boolean => URL.canParse(text) && !text.includes("#")

const checkExchange = (one: Omit<OauthTokenExchange, keyof TokenEndpoint>, path: Path, to: Mapping): void => {
  for (const name of Object.keys(one.additionalParams ?? {})) {
    if (reservedParameters.has(name)) to.fail([...path, "additionalParams", name], `\`${name}\` is set by the gateway`)
  }
  for (const side of ["subjectToken", "actorToken"] as const) {
    const type = one[side]?.tokenType
    if (type !== undefined && !isTokenType(type)) {
      to.fail([...path, side, "tokenType"], "expected an absolute URI without a fragment")
    }
  }
  const requested = one.requestedTokenType
  const known = ["access_token", "jwt", "id_token"].map((name) => `${tokenTypes}${name}`)
  if (requested !== undefined && !known.includes(requested)) {
    to.fail([...path, "requestedTokenType"], `expected one of ${known.join(", ")}`)
  }
}

const tokenExchange = (
  one: Omit<OauthTokenExchange, keyof TokenEndpoint>,
  endpoint: ReturnType<typeof tokenEndpoint>,
  path: Path,
  to: Mapping,
): IrOauthTokenExchange | undefined => {
  checkExchange(one, path, to)
  const grantType = one.grantType ?? "tokenExchange"
  if (grantType === "jwtBearer") {
    for (const key of ["requestedTokenType", "actorToken"] as const) {
      if (one[key] !== undefined) to.fail([...path, key], `\`${key}\` cannot be combined with \`jwtBearer\``)
    }
  }
  const actor = one.actorToken
  if (actor?.enforceMayAct === true && actor.tokenType !== `${tokenTypes}jwt`) {
    to.fail([...path, "actorToken", "enforceMayAct"], "`enforceMayAct` needs an actor token of type jwt")
  }
  return endpoint === undefined
    ? undefined
    : {
        _tag: "OauthTokenExchange",
        endpoint,
        grantType,
        subjectToken: subject(one.subjectToken, "access_token", [...path, "subjectToken"], to),
        ...present({
          actorToken:
            actor === undefined
              ? undefined
              : {
                  ...subject(actor, "access_token", [...path, "actorToken"], to),
                  enforceMayAct: actor.enforceMayAct ?? false,
                },
          requestedTokenType: one.requestedTokenType,
        }),
        audiences: one.audiences ?? [],
        scopes: one.scopes ?? [],
        resources: one.resources ?? [],
        additionalParams: expressions(one.additionalParams),
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}

const crossApp = (
  one: Omit<CrossAppAccess, "identityProvider" | "resourceAuthorizationServer">,
  identityProvider: ReturnType<typeof tokenEndpoint>,
  server: ReturnType<typeof tokenEndpoint>,
  path: Path,
  to: Mapping,
): IrCrossAppAccess | undefined => {
  return identityProvider === undefined || server === undefined
    ? undefined
    : {
        _tag: "CrossAppAccess",
        identityProvider,
        resourceAuthorizationServer: server,
        audience: one.audience,
        resources: one.resources ?? [],
        scopes: one.scopes ?? [],
        ...present({ accessTokenScopes: one.accessTokenScopes }),
        subjectToken: subject(one.subjectToken, "id_token", [...path, "subjectToken"], to),
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}

const clientCredentials = (
  one: OauthClientCredentials,
  path: Path,
  to: Mapping,
): IrOauthClientCredentials | undefined => {
  const endpoint = tokenEndpoint(one, path, to)
  if (one.clientAuth === undefined) {
    return to.fail(path, "`clientAuth` is required", "A token for the gateway itself needs a proof of who it is.")
  }
  return endpoint === undefined
    ? undefined
    : {
        _tag: "OauthClientCredentials",
        endpoint,
        audiences: one.audiences ?? [],
        scopes: one.scopes ?? [],
        resources: one.resources ?? [],
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}

export const backendAuth = (auth: BackendAuth, path: Path, to: Mapping): IrBackendAuth | undefined => {
  const before = to.problems.length
  let kind: BackendAuthKind | undefined
  if (typeof auth === "object" && auth.oauthTokenExchange !== undefined) {
    const at = [...path, "oauthTokenExchange"]
    kind = tokenExchange(auth.oauthTokenExchange, tokenEndpoint(auth.oauthTokenExchange, at, to), at, to)
  } else if (typeof auth === "object" && auth.oauth !== undefined) {
    const at = [...path, "oauth"]
    const { clientAuth, policies, tokenEndpoint: place, tokenEndpointPath } = auth.oauth
    const endpoint = { ...place, ...present({ clientAuth, policies, tokenEndpointPath }) }
    kind = tokenExchange(auth.oauth, tokenEndpoint(endpoint, at, to), at, to)
  } else if (typeof auth === "object" && auth.crossAppAccess !== undefined) {
    const at = [...path, "crossAppAccess"]
    const { identityProvider, resourceAuthorizationServer } = auth.crossAppAccess
    const provider = tokenEndpoint(identityProvider, [...at, "identityProvider"], to)
    const server = tokenEndpoint(resourceAuthorizationServer, [...at, "resourceAuthorizationServer"], to)
    kind = crossApp(auth.crossAppAccess, provider, server, at, to)
  } else if (typeof auth === "object" && auth.xaa !== undefined) {
    const at = [...path, "xaa"]
    const provider = tokenEndpoint(auth.xaa.idp, [...at, "idp"], to)
    const server = tokenEndpoint(auth.xaa.resourceAs, [...at, "resourceAs"], to)
    kind = crossApp(auth.xaa, provider, server, at, to)
  } else if (typeof auth === "object" && auth.oauthClientCredentials !== undefined) {
    kind = clientCredentials(auth.oauthClientCredentials, [...path, "oauthClientCredentials"], to)
  } else kind = ownKind(auth, path, to)
  const credentials = extraCredentials(auth, path, to)
  if (kind === undefined && credentials.length === 0) {
    return to.problems.length === before && typeof auth === "object" && Object.keys(auth).length === 0
      ? to.fail(path, "no kind of authentication is set")
      : undefined
  }
  return { _tag: "BackendAuth", ...present({ auth: kind }), credentials }
}

type Ref = Pick<Callee, "host" | "backend" | "service" | "name" | "port">

/** The backend that a policy names in one of three ways, and whether its URL asked for TLS. */
export const reference = (
  ref: Ref,
  path: Path,
  to: Mapping,
): { readonly backend: BackendRef; readonly tls: boolean } | undefined => {
  const named = ref.name !== undefined || ref.port !== undefined
  const ways = [ref.host !== undefined, ref.backend !== undefined, ref.service !== undefined || named]
  const count = ways.filter(Boolean).length + (ref.service !== undefined && named ? 1 : 0)
  if (count > 1) return to.fail(path, "backend must be exactly one of service, host, or backend")
  if (count === 0) return to.fail(path, "no backend is named", "Set `host`, `backend` or `service`.")
  if (named && (ref.name === undefined || ref.port === undefined)) {
    return to.fail(path, "service backend requires both name and port")
  }
  if (ref.host !== undefined) return { backend: to.host(ref.host.target), tls: ref.host.tls }
  const backend =
    ref.backend !== undefined
      ? to.backend(ref.backend, [...path, "backend"])
      : ref.service !== undefined
        ? to.service(ref.service.name, ref.service.port, [...path, "service"])
        : to.service(ref.name ?? "", ref.port ?? 0, [...path, "name"])
  return backend === undefined ? undefined : { backend, tls: false }
}

export const calleePolicies = (policies: CalleePolicies, path: Path, to: Mapping): ReadonlyArray<CalleePolicy> => {
  const all: Array<CalleePolicy> = []
  const add = <K extends keyof CalleePolicies>(
    key: K,
    map: (policy: NonNullable<CalleePolicies[K]>, path: Path) => CalleePolicy | undefined,
  ) => {
    const policy = policies[key]
    if (policy === undefined || to.refused("policies", key, [...path, key])) return
    const mapped = map(policy, [...path, key])
    if (mapped !== undefined) all.push(mapped)
  }
  add("requestHeaderModifier", (edits, at) => ({ _tag: "RequestHeaderModifier", ...headerEdits(edits, at, to) }))
  add("transformations", (both, at) => transformations(both, at, to))
  add("backendTLS", (tls, at) => backendTls(tls, at, to))
  add("backendAuth", (auth, at) => backendAuth(auth, at, to))
  add("http", backendHttp)
  add("tcp", backendTcp)
  add("backendTunnel", (tunnel, at) => backendTunnel(tunnel, at, to))
  return all
}

/** A service that a policy calls. */
export const callee = (of: Callee, path: Path, to: Mapping): IrCallee | undefined => {
  const found = reference(of, path, to)
  const policies = calleePolicies(of.policies ?? {}, [...path, "policies"], to)
  if (found === undefined) return undefined
  return {
    backend: found.backend,
    policies:
      found.tls && !policies.some((policy) => policy._tag === "BackendTls")
        ? [...policies, { _tag: "BackendTls", tls: plainTls }]
        : policies,
  }
}
