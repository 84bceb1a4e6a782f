/** Every policy from the file's words to the snapshot's. */
import * as Redacted from "effect/Redacted"
import { createPublicKey, hash, type webcrypto } from "node:crypto"
import * as Result from "effect/Result"
import * as Defaults from "../../../ir/defaults.ts"
import type { Expression } from "../../../ir/Expression.ts"
import type { BackendPolicy, ConditionalPolicy, Entry, FrontendPolicy, TrafficPolicy } from "../../../ir/Policy.ts"
import type { ToolLock } from "../../../ir/backend/ToolLock.ts"
import type { MessageBudget } from "../../../ir/policy/A2a.ts"
import type { A2aCard, A2aInterface } from "../../../ir/policy/A2aSpoken.ts"
import type { AccessLog as IrAccessLog } from "../../../ir/policy/AccessLog.ts"
import type { Ai as IrAi, PromptCaching as IrPromptCaching } from "../../../ir/policy/Ai.ts"
import type { ResponseCache as IrResponseCache } from "../../../ir/policy/ResponseCache.ts"
import type { Budget as IrBudget } from "../../../ir/policy/Budget.ts"
import type { ApiKey as IrApiKey, ApiKeyValue, IssuedKey } from "../../../ir/policy/ApiKey.ts"
import type { BasicAuth as IrBasicAuth } from "../../../ir/policy/BasicAuth.ts"
import type { BodyLimit as IrBodyLimit } from "../../../ir/policy/BodyLimit.ts"
import type { BodyBuffer, Buffer as IrBuffer } from "../../../ir/policy/Buffer.ts"
import type { Cedar as IrCedar } from "../../../ir/policy/Cedar.ts"
import type { Concurrency, ConcurrencyLimit as IrConcurrencyLimit } from "../../../ir/policy/ConcurrencyLimit.ts"
import type { ConnectionLimit as IrConnectionLimit } from "../../../ir/policy/ConnectionLimit.ts"
import type { Cors as IrCors } from "../../../ir/policy/Cors.ts"
import type { Csrf as IrCsrf } from "../../../ir/policy/Csrf.ts"
import type { Delay as IrDelay } from "../../../ir/policy/Delay.ts"
import type { DirectResponse as IrDirectResponse } from "../../../ir/policy/DirectResponse.ts"
import type { Document } from "../../../ir/policy/Document.ts"
import type { ExtAuthz as IrExtAuthz } from "../../../ir/policy/ExtAuthz.ts"
import type { ExtProc as IrExtProc } from "../../../ir/policy/ExtProc.ts"
import type { ActiveHealth, Health as IrHealth } from "../../../ir/policy/Health.ts"
import type { Http as IrHttp } from "../../../ir/policy/Http.ts"
import type { InferenceRouting as IrInferenceRouting } from "../../../ir/policy/InferenceRouting.ts"
import type { JwtAuth as IrJwtAuth, JwtProvider } from "../../../ir/policy/JwtAuth.ts"
import type { TokenBucket } from "../../../ir/policy/LocalRateLimit.ts"
import type { McpAuthentication as IrMcpAuthentication } from "../../../ir/policy/McpAuthentication.ts"
import type { McpGuardrails as IrMcpGuardrails, McpProcessor } from "../../../ir/policy/McpGuardrails.ts"
import type { NetworkExtAuthz as IrNetworkExtAuthz } from "../../../ir/policy/NetworkExtAuthz.ts"
import type { Oidc as IrOidc, OidcProvider } from "../../../ir/policy/Oidc.ts"
import { Cidr, parseCidr } from "../../../ir/cel/ip.ts"
import type { IpAccessControl as IrIpAccessControl } from "../../../ir/policy/IpAccessControl.ts"
import { compileProgram } from "../../../stages/4-route/Regex.ts"
import type { GuardKind, PromptGuard as IrPromptGuard, Rejection } from "../../../ir/policy/PromptGuard.ts"
import type { RemoteRateLimit as IrRemoteRateLimit } from "../../../ir/policy/RemoteRateLimit.ts"
import type { RequestMirror as IrRequestMirror } from "../../../ir/policy/RequestMirror.ts"
import type { RequestRedirect as IrRequestRedirect } from "../../../ir/policy/RequestRedirect.ts"
import type { Retry as IrRetry } from "../../../ir/policy/Retry.ts"
import type { PathReplacement } from "../../../ir/policy/Rewrite.ts"
import type { Rule } from "../../../ir/policy/RuleSet.ts"
import type { Tls as IrTls } from "../../../ir/policy/Tls.ts"
import type { Sampling, Tracing as IrTracing } from "../../../ir/policy/Tracing.ts"
import type { AuthorityRewrite, UrlRewrite as IrUrlRewrite } from "../../../ir/policy/UrlRewrite.ts"
import type { Secret } from "../../../ir/Secret.ts"
import type { Path } from "../ConfigIssue.ts"
import { parse as parseKeys, withoutKeys } from "../../../protocols/jose/jwks.ts"
import { locate } from "../../../protocols/http/locate.ts"
import { parse as htpasswd } from "../../../protocols/http/htpasswd.ts"
import * as Duration from "../duration.ts"
import type { CalleePolicies } from "./callee.ts"
import type { FileInlineOrRemote } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"
import type {
  AccessLog,
  Ai,
  ResponseCache,
  Budgets,
  ApiKey,
  Authorization,
  AuthorityChange,
  BackendPolicies,
  BasicAuth,
  BodyLimit,
  Buffer,
  ConcurrencyLimit,
  IpAccessControl,
  Cors,
  Delay,
  DirectResponse,
  ExtAuthz,
  ExtProc,
  FrontendPolicies,
  Health,
  InferenceRouting,
  JwtAuth,
  LocalRateLimit,
  McpAuthentication,
  McpGuardrails,
  Oidc,
  PathChange,
  PlainExtAuthz,
  PromptCaching,
  PromptGuard,
  RemoteRateLimit,
  RequestMirror,
  RequestRedirect,
  Retry,
  RoutePolicies,
  RuleSet,
  Tracing,
  TransformationsPolicy,
  UrlRewrite,
} from "./policies.ts"
import { present } from "./present.ts"
import { cedar } from "./toCedar.ts"
import {
  backendAuth,
  backendHttp,
  backendTcp,
  backendTls,
  backendTunnel,
  callee,
  calleePolicies,
  computedHeaders,
  document,
  expressions,
  headerEdits,
  headerNames,
  keepalive,
  location,
  secret,
  simpleRef,
  transformations,
} from "./toCallee.ts"
import { isOfUse } from "../../../protocols/mcp/phase.ts"
import { valueMatch } from "./toMatch.ts"

const defaults = Defaults.defaults

const rules = (set: RuleSet): ReadonlyArray<Rule> =>
  set.rules.map((rule): Rule => {
    if (typeof rule === "string") return { effect: "allow", expression: rule }
    if (rule.allow !== undefined) return { effect: "allow", expression: rule.allow }
    if (rule.deny !== undefined) return { effect: "deny", expression: rule.deny }
    return { effect: "require", expression: rule.require ?? ("false" as Expression) }
  })

const authorized = <Tag extends "Authorization" | "McpAuthorization" | "NetworkAuthorization">(
  _tag: Tag,
  policy: Authorization,
  path: Path,
  to: Mapping,
): { readonly _tag: Tag; readonly rules: ReadonlyArray<Rule>; readonly cedar?: IrCedar } => ({
  _tag,
  rules: rules({ rules: policy.rules ?? [] }),
  ...present({ cedar: policy.cedar === undefined ? undefined : cedar(policy.cedar, [...path, "cedar"], to) }),
})

/** A key set that can be used, or a place where there may be one. */
const keySet = (source: FileInlineOrRemote, path: Path, to: Mapping): Document | undefined => {
  const found = document(source, path, to)
  if (found?._tag === "Remote") {
    const at = locate(found.url)
    const where = [...path, "url"]
    if (at === undefined) return to.fail(where, "expected an http or https URL without user information")
    if (at.scheme === "http" && !/^(?:localhost|127\.[\d.]+|::1)$/.test(at.host)) {
      to.warn(where, "keys that come over plain http can be replaced on the way", "Use https.")
    }
  } else if (found !== undefined) {
    const keys = parseKeys(found.text)
    if (keys === withoutKeys) {
      to.warn(path, "there are no keys, so no token is good", "Put keys in, or say where they are: `{url: …}`.")
      return found
    }
    if (typeof keys === "string") return to.fail(path, `this is no key set: ${keys}`)
    for (const why of keys.ignored) to.warn(path, `${why}; it is not used`)
    for (const [i, { jwk, kid }] of keys.keys.entries()) {
      try {
        createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: "jwk" })
      } catch {
        return to.fail(path, `key ${kid === undefined ? `number ${i + 1}` : JSON.stringify(kid)} is no key`)
      }
    }
  }
  return found
}

/** Whoever sets up authentication seldom means that it can be left out, so that is to be said. */
const authenticationMode = <Mode extends string>(
  mode: Mode | undefined,
  path: Path,
  to: Mapping,
): Mode | typeof defaults.authenticationMode => {
  if (mode === undefined) {
    to.warn(
      path,
      "`mode` is not set, so requests without credentials pass",
      "Set `mode: strict`, or `mode: optional` if they are to pass.",
    )
  }
  return mode ?? defaults.authenticationMode
}

const jwtAuth = (policy: JwtAuth, path: Path, to: Mapping): IrJwtAuth | undefined => {
  const several = "providers" in policy
  const providers = (several ? policy.providers : [policy]).flatMap((one, i): ReadonlyArray<JwtProvider> => {
    const jwks = keySet(one.jwks, [...path, ...(several ? ["providers", i] : []), "jwks"], to)
    return jwks === undefined
      ? []
      : [
          {
            issuer: one.issuer,
            audiences: one.audiences ?? [],
            jwks,
            requiredClaims: one.jwtValidationOptions?.requiredClaims ?? defaults.requiredClaims,
          },
        ]
  })
  if (several && policy.providers.length === 0)
    return to.fail([...path, "providers"], "at least one provider is needed")
  return {
    _tag: "JwtAuth",
    mode: authenticationMode(policy.mode, path, to),
    location: policy.location === undefined ? Defaults.bearer : location(policy.location, [...path, "location"], to),
    providers,
  }
}

const mcpAuthentication = (policy: McpAuthentication, path: Path, to: Mapping): IrMcpAuthentication | undefined => {
  const provider = Object.keys(policy.provider ?? {})[0] as IrMcpAuthentication["provider"]
  const relayKey =
    policy.relaySigningKey === undefined ? undefined : secret(policy.relaySigningKey, [...path, "relaySigningKey"], to)
  if (relayKey !== undefined && !/^[0-9a-f]{64}$/i.test(Redacted.value(relayKey))) {
    to.fail([...path, "relaySigningKey"], "expected 32 bytes in hexadecimal", "Make one with `openssl rand -hex 32`.")
  }
  const hasClient = (provider === "entra" || provider === "keycloak") && policy.clientId !== undefined
  if (policy.relaySigningKey !== undefined && !hasClient) {
    to.fail([...path, "relaySigningKey"], "only `entra` and `keycloak` with a `clientId` are relayed to")
  }
  for (const [i, uri] of (policy.relayRedirectUris ?? []).entries()) {
    if (!uri.startsWith("https://") || locate(uri) === undefined || uri.includes("#")) {
      to.fail([...path, "relayRedirectUris", i], "expected an https URL without user or fragment")
    }
  }
  if (policy.relayRedirectUris !== undefined && policy.relaySigningKey === undefined) {
    to.fail([...path, "relayRedirectUris"], "`relayRedirectUris` goes with `relaySigningKey`")
  }
  const issuer = locate(policy.issuer)
  if (issuer === undefined) to.fail([...path, "issuer"], "expected an http or https URL without user information")
  if (policy.audiences.length === 0) {
    to.warn([...path, "audiences"], "tokens for any other service of the issuer are accepted", "Name the gateway.")
  }
  if (policy.clientSecret !== undefined && !hasClient) {
    to.fail([...path, "clientSecret"], "only `entra` and `keycloak` with a `clientId` take a client secret")
  }
  if (provider === "authentik" && policy.clientId === undefined) {
    to.fail([...path, "clientId"], "authentik registers no clients", "Register one there, and name it here.")
  }
  const resource = policy.resourceMetadata["resource"]
  if (resource !== undefined && (typeof resource !== "string" || locate(resource) === undefined)) {
    to.fail([...path, "resourceMetadata", "resource"], "expected the URL by which clients know the gateway")
  }
  const scopes = (policy.scopes ?? []).filter((scope) => scope !== "")
  for (const one of [...scopes, ...(policy.stepUp ?? []).flatMap((step) => step.scopes)]) {
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one)) to.fail(path, `${JSON.stringify(one)} is not a scope`)
  }
  const at = policy.authorizationLocation
  return {
    _tag: "McpAuthentication",
    issuer: policy.issuer,
    audiences: policy.audiences,
    resourceMetadata: policy.resourceMetadata,
    mode: policy.mode ?? defaults.mcpAuthenticationMode,
    scopes,
    stepUp: policy.stepUp ?? [],
    location: at === undefined ? Defaults.bearer : location(at, [...path, "authorizationLocation"], to),
    requiredClaims: policy.jwtValidationOptions?.requiredClaims ?? defaults.requiredClaims,
    ...present({
      provider,
      jwks: policy.jwks === undefined ? undefined : keySet(policy.jwks, [...path, "jwks"], to),
      clientId: policy.clientId,
      relay: relayKey === undefined ? undefined : { key: relayKey, redirectUris: policy.relayRedirectUris ?? [] },
      clientSecret:
        policy.clientSecret === undefined ? undefined : secret(policy.clientSecret, [...path, "clientSecret"], to),
    }),
  }
}

const basicAuth = (policy: BasicAuth, path: Path, to: Mapping): IrBasicAuth | undefined => {
  const source = policy.htpasswd
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "htpasswd", "file"])
  const at = policy.authorizationLocation
  const where = [...path, "htpasswd"]
  if (text !== undefined) {
    const { problems, users } = htpasswd(text)
    for (const { line, message } of problems) {
      to.fail(where, `line ${line}: ${message}`, "Make the hash with `htpasswd -B`.")
    }
    if (users.size === 0 && problems.length === 0) to.fail(where, "there are no users")
  }
  if (!/^[\x20-\x7e]*$/.test(policy.realm ?? "")) {
    to.fail([...path, "realm"], "a realm is written in printable ASCII characters")
  }
  return text === undefined
    ? undefined
    : {
        _tag: "BasicAuth",
        htpasswd: Redacted.make(text),
        realm: policy.realm ?? defaults.basicRealm,
        mode: authenticationMode(policy.mode, path, to),
        location: at === undefined ? Defaults.basic : location(at, [...path, "authorizationLocation"], to),
      }
}

const modelPatterns = (patterns: ReadonlyArray<string>, path: Path, to: Mapping): ReadonlyArray<string> => {
  for (const [i, one] of patterns.entries()) {
    if (one === "") to.fail([...path, i], "a model name is not empty")
    else if (!/^(?:\*|\*?[^*]+|[^*]+\*)$/.test(one)) {
      to.fail([...path, i], "more than one wildcard, or one that is not at an end")
    } else if (one === "*" && patterns.length > 1) to.fail(path, "cannot combine '*' with other values")
  }
  return patterns
}

const toolPatterns = (patterns: ReadonlyArray<string>, path: Path, to: Mapping): ReadonlyArray<string> => {
  for (const [i, one] of patterns.entries()) if (one === "") to.fail([...path, i], "the name of a tool is not empty")
  return patterns
}

const instant = /^\d{4}-\d\d-\d\d(?:[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d))?$/

const expiry = (text: string, path: Path, to: Mapping): number | undefined => {
  const millis = instant.test(text) ? Date.parse(text.toUpperCase()) : NaN
  if (Number.isNaN(millis)) return to.fail(path, "expected a date, or a date and time with its zone (RFC 3339)")
  if (millis <= Date.now()) to.warn(path, "the key has expired already")
  return millis
}

const budgets = (all: Budgets, path: Path, to: Mapping): ReadonlyArray<IrBudget> => {
  const names = new Set<string>()
  return all.map((one, i) => {
    const at = [...path, i]
    if (names.has(one.name)) to.fail([...at, "name"], `two budgets are called \`${one.name}\``)
    names.add(one.name)
    if (one.usd === undefined && one.tokens === undefined) to.fail(at, "a budget limits `usd`, `tokens` or both")
    if (one.window <= 0) to.fail([...at, "window"], "the window is longer than nothing")
    if (one.store === "redis" && !to.names.hasRedis) {
      to.fail([...at, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
    }
    return {
      name: one.name,
      ...present({ key: one.key, usd: one.usd, tokens: one.tokens }),
      windowMillis: Math.max(1, one.window),
      hard: one.onExceeded !== "warn",
      ...(one.store === "redis" ? { store: "redis" as const } : {}),
    }
  })
}

const apiKey = (policy: ApiKey, path: Path, to: Mapping): IrApiKey => {
  const places = new Map<string, number>()
  return {
    _tag: "ApiKey",
    keys: policy.keys.flatMap((one, i): ReadonlyArray<IssuedKey> => {
      const at = [...path, "keys", i]
      const value = issuedValue(one, at, to)
      if (value === undefined) return []
      const hashed = value._tag === "Hashed" ? value.sha256 : hash("sha256", Redacted.value(value.key))
      const first = places.get(hashed)
      if (first === undefined) places.set(hashed, i)
      else to.fail(at, `the same key as number ${first + 1}`, "Give every holder a key of their own.")
      return [
        {
          value,
          ...present({
            metadata: one.metadata,
            allowedModels:
              one.allowedModels === undefined
                ? undefined
                : modelPatterns(one.allowedModels, [...at, "allowedModels"], to),
            allowedTools:
              one.allowedTools === undefined ? undefined : toolPatterns(one.allowedTools, [...at, "allowedTools"], to),
            budgets: one.budgets === undefined ? undefined : budgets(one.budgets, [...at, "budgets"], to),
            expiresMillis: one.expiresAt === undefined ? undefined : expiry(one.expiresAt, [...at, "expiresAt"], to),
          }),
        },
      ]
    }),
    ...present({ virtual: policy.virtual }),
    mode: authenticationMode(policy.mode, path, to),
    location: policy.location === undefined ? Defaults.bearer : location(policy.location, [...path, "location"], to),
  }
}

const issuedValue = (one: ApiKey["keys"][number], path: Path, to: Mapping): ApiKeyValue | undefined => {
  if (one.keyHash !== undefined) {
    return { _tag: "Hashed", sha256: one.keyHash.slice("sha256:".length).toLowerCase() }
  }
  const key = one.key === undefined ? undefined : secret(one.key, [...path, "key"], to)
  return key === undefined ? undefined : { _tag: "Plain", key }
}

const redirectUri = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.pathname !== "/" &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === "" &&
    !/\/\.{1,2}(?:\/|$)|%2f|%2e/i.test(text)
  )
}

const sealingKey = (policy: Oidc, path: Path, to: Mapping): Secret | undefined => {
  const own = policy.cookieSecret
  const inherited = to.env["OIDC_COOKIE_SECRET"]
  const key =
    own === undefined
      ? inherited === undefined
        ? undefined
        : Redacted.make(inherited)
      : secret(own, [...path, "cookieSecret"], to)
  if (key === undefined) {
    return own === undefined
      ? to.fail(
          path,
          "there is nothing to seal cookies with",
          "Set `cookieSecret`, or OIDC_COOKIE_SECRET in the environment, to what `openssl rand -hex 32` prints.",
        )
      : undefined
  }
  if (!/^[0-9a-f]{64}$/i.test(Redacted.value(key))) {
    return to.fail(
      own === undefined ? path : [...path, "cookieSecret"],
      "what cookies are sealed with is not 32 bytes in hexadecimal",
      "Take what `openssl rand -hex 32` prints.",
    )
  }
  return key
}

const oidc = (policy: Oidc, path: Path, to: Mapping, owner: string): IrOidc | undefined => {
  if (!redirectUri(policy.redirectURI)) {
    to.fail(
      [...path, "redirectURI"],
      "expected an absolute http(s) URL with a path, without user, query, fragment, dot segments or encoded slashes",
    )
  }
  const { authorizationEndpoint, discovery, jwks, tokenEndpoint } = policy
  const explicit = [authorizationEndpoint, tokenEndpoint, jwks].filter((one) => one !== undefined).length
  let provider: OidcProvider | undefined
  if (authorizationEndpoint !== undefined && tokenEndpoint !== undefined && jwks !== undefined) {
    if (discovery !== undefined)
      to.fail([...path, "discovery"], "`discovery` cannot be combined with explicit endpoints")
    const keys = document(jwks, [...path, "jwks"], to)
    const tokenEndpointAuth = policy.tokenEndpointAuth ?? "clientSecretBasic"
    if (keys !== undefined) {
      provider = { _tag: "Explicit", authorizationEndpoint, tokenEndpoint, tokenEndpointAuth, jwks: keys }
    }
  } else if (explicit > 0) {
    return to.fail(path, "`authorizationEndpoint`, `tokenEndpoint` and `jwks` are set together, or none is")
  } else {
    if (policy.tokenEndpointAuth !== undefined) {
      to.fail([...path, "tokenEndpointAuth"], "`tokenEndpointAuth` goes with explicit endpoints only")
    }
    const found = discovery === undefined ? undefined : document(discovery, [...path, "discovery"], to)
    provider = { _tag: "Discovered", ...present({ document: found }) }
  }
  const clientSecret = secret(policy.clientSecret, [...path, "clientSecret"], to)
  const cookieKey = sealingKey(policy, path, to)
  const { logout } = policy
  if (logout !== undefined && !/^\/[^?#\s]*$/.test(logout.path)) to.fail([...path, "logout", "path"], "expected a path")
  const backChannel = logout?.backChannelPath
  if (backChannel !== undefined && (!/^\/[^?#\s]*$/.test(backChannel) || backChannel === logout?.path)) {
    to.fail([...path, "logout", "backChannelPath"], "expected a path of its own")
  }
  if (logout?.redirectURI !== undefined && !/^(?:https?:\/\/[^\s]+|\/(?![/\\])[^\s\\]*)$/.test(logout.redirectURI)) {
    to.fail([...path, "logout", "redirectURI"], "expected an http(s) URL or a path")
  }
  return provider === undefined || clientSecret === undefined || cookieKey === undefined
    ? undefined
    : {
        _tag: "Oidc",
        id: owner,
        issuer: policy.issuer,
        provider,
        clientId: policy.clientId,
        clientSecret,
        redirectUri: policy.redirectURI,
        cookieKey,
        ...present({
          sessionMillis: policy.sessionLifetime,
          logout:
            logout === undefined
              ? undefined
              : { path: logout.path, ...present({ redirectUri: logout.redirectURI, backChannelPath: backChannel }) },
        }),
        scopes: [...new Set(policy.scopes ?? [])].filter((scope) => scope !== "openid" && scope !== ""),
      }
}

const cors = (policy: Cors): IrCors => ({
  _tag: "Cors",
  allowCredentials: policy.allowCredentials ?? false,
  allowHeaders: policy.allowHeaders ?? [],
  allowMethods: policy.allowMethods ?? [],
  allowOrigins: policy.allowOrigins ?? [],
  exposeHeaders: policy.exposeHeaders ?? [],
  ...present({ maxAgeMillis: policy.maxAge }),
})

/** One content, or a list of them with conditions; an entry that cannot be mapped leaves the policy out. */
const conditionally = <P extends object>(
  policy: P | { readonly conditional: ReadonlyArray<P & { readonly condition?: Expression }> },
  path: Path,
  map: (one: P, path: Path) => ConditionalPolicy | undefined,
): TrafficPolicy | undefined => {
  if (!("conditional" in policy)) return map(policy, path)
  const entries = policy.conditional.flatMap((entry, i): ReadonlyArray<Entry> => {
    const mapped = map(entry, [...path, "conditional", i])
    return mapped === undefined ? [] : [{ ...present({ condition: entry.condition }), policy: mapped }]
  })
  const [first, ...rest] = entries
  return first === undefined || entries.length < policy.conditional.length
    ? undefined
    : { _tag: "Conditional", entries: [first, ...rest] }
}

const csrf = (policy: NonNullable<RoutePolicies["csrf"]>, path: Path, to: Mapping): IrCsrf => {
  const additionalOrigins = policy.additionalOrigins ?? []
  for (const [i, one] of additionalOrigins.entries()) {
    if (!/^https?:\/\/[^/?#@\s\\*]+$/i.test(one)) {
      to.fail(
        [...path, "additionalOrigins", i],
        "expected an origin",
        "Write scheme and host: `https://app.example.com`.",
      )
    }
  }
  return { _tag: "Csrf", additionalOrigins }
}

type Bucket = Exclude<LocalRateLimit, { readonly conditional: unknown }>[number]

const unitMillis = { seconds: 1_000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const

/** Either so many in a unit of time, or a bucket in all its parts. */
const filling = (
  one: Bucket,
  path: Path,
  to: Mapping,
): readonly [max: number, fill: number, intervalMillis: number] => {
  const { fillInterval, limit, maxTokens, tokensPerFill, unit } = one
  if (limit === undefined && unit === undefined) {
    if (fillInterval === undefined)
      to.fail([...path, "fillInterval"], "needed", "Say how often tokens are added: `1s`.")
    return [maxTokens ?? 0, tokensPerFill ?? 0, fillInterval ?? 1]
  }
  for (const field of ["maxTokens", "tokensPerFill", "fillInterval"] as const) {
    if (one[field] !== undefined) to.fail([...path, field], `\`${field}\` cannot be set beside \`limit\` and \`unit\``)
  }
  if (limit === undefined) to.fail([...path, "limit"], "needed beside `unit`")
  if (unit === undefined)
    to.fail([...path, "unit"], "needed beside `limit`", "Write `seconds`, `minutes`, `hours` or `days`.")
  return [limit ?? 0, limit ?? 0, unitMillis[unit ?? "seconds"]]
}

const bucket = (one: Bucket, path: Path, to: Mapping): TokenBucket => {
  const [maxTokens, tokensPerFill, fillIntervalMillis] = filling(one, path, to)
  if (tokensPerFill > maxTokens) to.fail(path, "max tokens cannot be less than the refill amount")
  if (fillIntervalMillis <= 0) to.fail([...path, "fillInterval"], "the interval is longer than nothing")
  if (one.shared === true && !to.names.hasRedis) {
    to.fail([...path, "shared"], "no Redis is configured", "Set `config.redis.url`, or leave out `shared`.")
  }
  if (maxTokens === 0) to.warn(path, "no request ever passes", "Set `maxTokens`.")
  else if (tokensPerFill === 0) to.warn(path, "once it is empty it stays empty", "Set `tokensPerFill`.")
  return {
    maxTokens,
    tokensPerFill,
    fillIntervalMillis,
    type: one.type ?? "requests",
    ...present({ key: one.key, shared: one.shared }),
  }
}

const localRateLimit = (policy: LocalRateLimit, path: Path, to: Mapping, owner: string): TrafficPolicy | undefined =>
  "conditional" in policy
    ? conditionally(policy, path, (one: Bucket, at) => ({
        _tag: "LocalRateLimit",
        id: `${owner}/${at[at.length - 1]}`,
        limits: [bucket(one, at, to)],
      }))
    : { _tag: "LocalRateLimit", id: owner, limits: policy.map((one, i) => bucket(one, [...path, i], to)) }

type ConcurrencyEntry = Extract<ConcurrencyLimit, { readonly conditional: unknown }>["conditional"][number]

const concurrency = (one: ConcurrencyEntry, path: Path, to: Mapping): Concurrency => {
  const { condition, key, maxConcurrent, queue, retryAfter, status } = one
  if (maxConcurrent === 0) to.warn([...path, "maxConcurrent"], "no request ever passes")
  if (queue?.timeout === 0) to.fail([...path, "queue", "timeout"], "whoever waits gives up at once")
  if (queue?.maxWaiting === 0) to.warn([...path, "queue", "maxWaiting"], "nobody can wait", "Leave out `queue`.")
  return {
    maxConcurrent,
    status: status ?? defaults.concurrencyStatus,
    retryAfterMillis: retryAfter ?? defaults.retryAfterMillis,
    ...present({
      condition,
      key,
      queue:
        queue === undefined
          ? undefined
          : { maxWaiting: queue.maxWaiting, timeoutMillis: queue.timeout ?? defaults.queueTimeoutMillis },
    }),
  }
}

const concurrencyLimit = (policy: ConcurrencyLimit, path: Path, to: Mapping, owner: string): IrConcurrencyLimit =>
  "conditional" in policy
    ? {
        _tag: "ConcurrencyLimit",
        id: owner,
        limits: policy.conditional.map((one, i) => concurrency(one, [...path, "conditional", i], to)),
        onlyFirst: true,
      }
    : {
        _tag: "ConcurrencyLimit",
        id: owner,
        limits: policy.map((one, i) => concurrency(one, [...path, i], to)),
      }

const ipAccessControl = (policy: IpAccessControl, path: Path, to: Mapping): IrIpAccessControl => {
  const { allow = [], deny = [], enforceFullChain = false, maxXffLength, xffNumTrustedHops } = policy
  for (const [name, list] of Object.entries({ allow, deny })) {
    for (const [i, one] of list.entries()) {
      const range = one.includes("/") ? parseCidr(one) : undefined
      if (!(range instanceof Cidr)) {
        to.fail([...path, name, i], `${JSON.stringify(one)} is no range`, "Write `10.0.0.0/8`, or `10.1.2.3/32`.")
      }
    }
  }
  if (allow.length + deny.length === 0) to.warn(path, "every address passes", "Set `allow` or `deny`.")
  if (enforceFullChain && xffNumTrustedHops !== undefined) {
    to.warn([...path, "xffNumTrustedHops"], "the whole chain is judged anyway", "Leave out one of the two.")
  }
  return {
    _tag: "IpAccessControl",
    allow,
    deny,
    ...present({ trustedHops: xffNumTrustedHops }),
    skipsPrivate: policy.skipPrivateIps ?? false,
    isWholeChain: enforceFullChain,
    chainLengthMax: maxXffLength ?? defaults.forwardedChainMax,
  }
}

const bodyLimit = (policy: BodyLimit, path: Path, to: Mapping): IrBodyLimit => {
  if (policy.request === undefined && policy.response === undefined) {
    to.warn(path, "nothing is limited", "Set `request.maxBytes` or `response.maxBytes`.")
  }
  return {
    _tag: "BodyLimit",
    ...present({ requestBytesMax: policy.request?.maxBytes, responseBytesMax: policy.response?.maxBytes }),
  }
}

const connectionLimit = (
  policy: NonNullable<FrontendPolicies["connectionLimit"]>,
  path: Path,
  to: Mapping,
): IrConnectionLimit => {
  if ((policy.maxConnections ?? policy.maxConnectionsPerAddress) === undefined) {
    to.warn(path, "nothing is limited", "Set `maxConnections` or `maxConnectionsPerAddress`.")
  }
  return {
    _tag: "ConnectionLimit",
    // The file says it once, for the whole gateway.
    id: "frontend",
    ...present({
      connectionsMax: policy.maxConnections,
      connectionsPerAddressMax: policy.maxConnectionsPerAddress,
    }),
  }
}

type PlainRemoteRateLimit = Exclude<RemoteRateLimit, { readonly conditional: unknown }>

const remoteRateLimit = (one: PlainRemoteRateLimit, path: Path, to: Mapping): IrRemoteRateLimit | undefined => {
  const called = callee(one, path, to)
  if (one.descriptors.length === 0) to.warn([...path, "descriptors"], "without descriptors nothing is limited")
  for (const [i, { entries }] of one.descriptors.entries()) {
    if (entries.length > 0) continue
    to.warn([...path, "descriptors", i, "entries"], "a descriptor without entries counts nothing")
  }
  return called === undefined
    ? undefined
    : {
        _tag: "RemoteRateLimit",
        callee: called,
        domain: one.domain,
        descriptors: one.descriptors.map((descriptor) => ({
          entries: descriptor.entries.map(({ key, value }) => ({ name: key, expression: value })),
          type: descriptor.type ?? "requests",
          ...present({ cost: descriptor.cost, limitOverride: descriptor.limitOverride }),
        })),
        failureMode: one.failureMode ?? defaults.failureMode,
      }
}

const extAuthzCommon = (one: Omit<PlainExtAuthz, "protocol">, path: Path, to: Mapping) => {
  const called = callee(one, path, to)
  if (called === undefined) return undefined
  const { cache, failureMode, includeRequestBody: body } = one
  const ttl = cache === undefined ? undefined : Duration.parse(cache.ttl)
  const failure: IrExtAuthz["failure"] =
    failureMode === "allow"
      ? { _tag: "Allow" }
      : {
          _tag: "Deny",
          status: typeof failureMode === "object" ? failureMode.denyWithStatus : defaults.extAuthzFailureStatus,
        }
  return {
    callee: called,
    failure,
    includeRequestHeaders: headerNames(one.includeRequestHeaders, [...path, "includeRequestHeaders"], to),
    ...present({
      includeRequestBody:
        body === undefined
          ? undefined
          : {
              maxBytes: body.maxRequestBytes ?? defaults.extAuthzMaxBytes,
              allowPartial: body.allowPartialMessage ?? false,
              packAsBytes: body.packAsBytes ?? false,
            },
      cache:
        cache === undefined || ttl === undefined
          ? undefined
          : {
              key: cache.key,
              lifetime: Result.isSuccess(ttl)
                ? ({ _tag: "Fixed", millis: ttl.success } as const)
                : ({ _tag: "Computed", expression: cache.ttl as Expression } as const),
              maxEntries: cache.maxEntries ?? defaults.extAuthzCacheEntriesMax,
            },
    }),
  }
}

type Protocol = Exclude<NonNullable<PlainExtAuthz["protocol"]>, string>
type OverHttp = NonNullable<Protocol["http"]>

const httpFields = ["path", "redirect", "body", "includeResponseHeaders", "addRequestHeaders", "metadata"] as const
const grpcFields = ["context", "metadata"] as const

/** The protocol in its own field, wherever its settings were written. */
const withProtocol = (
  one: PlainExtAuthz,
  path: Path,
  to: Mapping,
): Omit<PlainExtAuthz, "protocol"> & { readonly protocol?: Protocol } => {
  const { protocol } = one
  const fields: ReadonlyArray<keyof PlainExtAuthz> =
    protocol === "http" ? httpFields : protocol === "grpc" ? grpcFields : []
  for (const name of [...httpFields, ...grpcFields]) {
    if (one[name] !== undefined && !fields.includes(name)) {
      to.fail([...path, name], `\`${name}\` has no effect here`, "Write it in `protocol.http` or `protocol.grpc`.")
    }
  }
  if (protocol === "http") return { ...one, protocol: { http: pick(one, httpFields) } }
  if (protocol === "grpc") return { ...one, protocol: { grpc: pick(one, grpcFields) } }
  return { ...one, ...present({ protocol }) } as Omit<PlainExtAuthz, "protocol"> & { readonly protocol?: Protocol }
}

const pick = <A extends object, K extends keyof A>(from: A, names: ReadonlyArray<K>): Pick<A, K> => {
  const found: Partial<Pick<A, K>> = {}
  for (const name of names) if (from[name] !== undefined) found[name] = from[name]
  return found as Pick<A, K>
}

type Check = ReturnType<typeof withProtocol>

const overHttp = (http: OverHttp, path: Path, to: Mapping) => ({
  _tag: "Http" as const,
  ...present({ path: http.path, redirect: http.redirect, body: http.body }),
  includeResponseHeaders: headerNames(http.includeResponseHeaders, [...path, "includeResponseHeaders"], to),
  addRequestHeaders: expressions(http.addRequestHeaders),
  metadata: expressions(http.metadata),
})

/** What is written but would change nothing. */
const idleParts = ({ cache, includeRequestBody: body, protocol }: Check, path: Path, to: Mapping): void => {
  if (cache !== undefined && cache.key.length === 0) {
    to.warn([...path, "cache", "key"], "nothing is kept without a key", "Name what decisions depend on.")
  }
  if (protocol?.http === undefined || body === undefined) return
  if (body.packAsBytes !== undefined) {
    to.warn([...path, "includeRequestBody", "packAsBytes"], "over HTTP a body is bytes anyway", "Leave it out.")
  }
  if (protocol.http.body !== undefined) {
    to.warn([...path, "includeRequestBody"], "`protocol.http.body` is sent instead of the body", "Set one of the two.")
  }
}

const extAuthz = (written: PlainExtAuthz, path: Path, to: Mapping): IrExtAuthz | undefined => {
  const one = withProtocol(written, path, to)
  idleParts(one, path, to)
  const common = extAuthzCommon(one, path, to)
  if (common === undefined) return undefined
  const { grpc, http } = one.protocol ?? {}
  return {
    _tag: "ExtAuthz",
    ...common,
    protocol:
      http === undefined
        ? {
            _tag: "Grpc",
            context: grpc?.context ?? {},
            ...present({ metadata: grpc?.metadata === undefined ? undefined : expressions(grpc.metadata) }),
          }
        : overHttp(http, [...path, "protocol", "http"], to),
  }
}

const networkExtAuthz = (written: PlainExtAuthz, path: Path, to: Mapping): IrNetworkExtAuthz | undefined => {
  const one = withProtocol(written, path, to)
  const http = one.protocol?.http
  if (http === undefined) return to.fail(path, "networkExtAuthz must use protocol.http")
  const idle = (of: object, names: ReadonlyArray<string>, at: Path): void => {
    for (const name of names) {
      if (!Object.hasOwn(of, name)) continue
      to.warn([...at, name], "has no effect on a connection, which has no message yet", "Leave it out.")
    }
  }
  idle(one, ["includeRequestHeaders", "includeRequestBody"], path)
  idle(http, ["redirect", "includeResponseHeaders", "metadata"], [...path, "protocol", "http"])
  if (typeof one.failureMode === "object") {
    to.warn([...path, "failureMode"], "a connection is closed without a status", "Write `deny`.")
  }
  const common = extAuthzCommon(one, path, to)
  return common === undefined
    ? undefined
    : { _tag: "NetworkExtAuthz", ...common, protocol: overHttp(http, [...path, "protocol", "http"], to) }
}

type PlainExtProc = Exclude<ExtProc, { readonly conditional: unknown }>

const extProc = (one: PlainExtProc, path: Path, to: Mapping): IrExtProc | undefined => {
  const called = callee(one, path, to)
  const options = one.processingOptions ?? {}
  return called === undefined
    ? undefined
    : {
        _tag: "ExtProc",
        callee: called,
        failureMode: one.failureMode ?? defaults.failureMode,
        metadataContext: Object.fromEntries(
          Object.entries(one.metadataContext ?? {}).map(([namespace, fields]) => [namespace, expressions(fields)]),
        ),
        requestAttributes: expressions(one.requestAttributes),
        responseAttributes: expressions(one.responseAttributes),
        requestBodyMode: options.requestBodyMode ?? defaults.extProcBodyMode,
        responseBodyMode: options.responseBodyMode ?? defaults.extProcBodyMode,
        requestHeaderMode: options.requestHeaderMode ?? "send",
        responseHeaderMode: options.responseHeaderMode ?? "send",
        requestTrailerMode: options.requestTrailerMode ?? "skip",
        responseTrailerMode: options.responseTrailerMode ?? "skip",
        allowModeOverride: options.allowModeOverride ?? false,
      }
}

const bodyBuffer = (one: NonNullable<Buffer["request"]>): BodyBuffer => ({
  ...present({ maxBytes: one.maxBytes }),
  failureMode: one.failureMode ?? defaults.failureMode,
})

const buffer = (policy: Buffer): IrBuffer => ({
  _tag: "Buffer",
  ...present({
    request: policy.request === undefined ? undefined : bodyBuffer(policy.request),
    response: policy.response === undefined ? undefined : bodyBuffer(policy.response),
  }),
})

type Direct = Exclude<DirectResponse, { readonly conditional: unknown }>

const directResponse = (one: Direct, path: Path, to: Mapping): IrDirectResponse => {
  if (one.body !== undefined && one.bodyExpression !== undefined) {
    to.fail(path, "`body` and `bodyExpression` cannot be set together")
  }
  const body =
    one.bodyExpression !== undefined
      ? ({ _tag: "Computed", expression: one.bodyExpression } as const)
      : one.body === undefined
        ? undefined
        : ({ _tag: "Text", text: one.body } as const)
  return {
    _tag: "DirectResponse",
    status: one.status,
    ...present({ body }),
    headers: computedHeaders(one.headers, [...path, "headers"], to),
  }
}

const pathChange = (change: PathChange): PathReplacement =>
  change.prefix === undefined ? { _tag: "Full", path: change.full ?? "" } : { _tag: "Prefix", prefix: change.prefix }

const authorityChange = (change: AuthorityChange) => {
  if (change.full !== undefined) return { _tag: "Full", authority: change.full } as const
  if (change.host !== undefined) return { _tag: "Host", host: change.host } as const
  return { _tag: "Port", port: change.port ?? 0 } as const
}

const authorityRewrite = (change: NonNullable<UrlRewrite["authority"]>): AuthorityRewrite =>
  change === "auto" ? { _tag: "Auto" } : change === "none" ? { _tag: "None" } : authorityChange(change)

const urlRewrite = (policy: UrlRewrite): IrUrlRewrite => ({
  _tag: "UrlRewrite",
  ...present({
    authority: policy.authority === undefined ? undefined : authorityRewrite(policy.authority),
    path: policy.path === undefined ? undefined : pathChange(policy.path),
  }),
})

const requestRedirect = (policy: RequestRedirect): IrRequestRedirect => ({
  _tag: "RequestRedirect",
  ...present({
    scheme: policy.scheme,
    authority:
      policy.authority === undefined || typeof policy.authority === "string"
        ? undefined
        : authorityChange(policy.authority),
    path: policy.path === undefined ? undefined : pathChange(policy.path),
  }),
  status: policy.status ?? defaults.redirectStatus,
})

const requestMirror = (policy: RequestMirror, path: Path, to: Mapping): IrRequestMirror | undefined => {
  const backend = simpleRef(policy.backend, [...path, "backend"], to)
  return backend === undefined
    ? undefined
    : { _tag: "RequestMirror", mirrors: [{ backend, fraction: policy.percentage }] }
}

const retry = (policy: Retry): IrRetry => ({
  _tag: "Retry",
  attempts: policy.attempts ?? defaults.retryAttempts,
  codes: policy.codes,
  ...present({ backoffMillis: policy.backoff, precondition: policy.precondition, condition: policy.condition }),
})

const looksLikeDuration = /^[-+.\d][\d.]*\s*(?:[a-zµ]{0,12}[\d.]*)*$/i

type PlainDelay = Exclude<Delay, { readonly conditional: unknown }>

const delay = (policy: PlainDelay, path: Path, to: Mapping): IrDelay | undefined => {
  const at = [...path, "duration"]
  const text = String(policy.duration)
  const parsed = Duration.parse(text)
  if (Result.isSuccess(parsed)) return { _tag: "Delay", duration: { _tag: "Fixed", millis: parsed.success } }
  if (looksLikeDuration.test(text)) return to.fail(at, parsed.failure.message, parsed.failure.remedy)
  return { _tag: "Delay", duration: { _tag: "Computed", expression: text as Expression } }
}

const rejection = (
  one: { readonly rejection?: Rejected },
  path: Path,
  to: Mapping,
): { readonly rejection?: Rejection } =>
  present({
    rejection:
      one.rejection === undefined
        ? undefined
        : present({
            body: one.rejection.body,
            status: one.rejection.status,
            headers:
              one.rejection.headers === undefined
                ? undefined
                : headerEdits(one.rejection.headers, [...path, "rejection", "headers"], to),
          }),
  })

type RequestGuard = NonNullable<PromptGuard["request"]>[number]
type ResponseGuard = NonNullable<PromptGuard["response"]>[number]
type Rejected = NonNullable<RequestGuard["rejection"]>

const guardKind = (guard: RequestGuard | ResponseGuard, path: Path, to: Mapping): GuardKind | undefined => {
  const called = (
    of: { readonly policies?: CalleePolicies; readonly failureMode?: "failClosed" | "failOpen"; readonly url?: string },
    kind: string,
  ) => {
    const isOrigin = of.url === undefined || /^https?:\/\/[^/?#@\s]+\/?$/.test(of.url)
    if (!isOrigin) to.fail([...path, kind, "url"], "a url has a scheme, http or https, a host, and perhaps a port")
    return {
      failureMode: of.failureMode ?? defaults.failureMode,
      ...present({ url: of.url }),
      policies: calleePolicies(of.policies ?? {}, [...path, kind, "policies"], to),
    }
  }
  if (guard.regex !== undefined) {
    return {
      _tag: "Regex",
      action: guard.regex.action ?? "mask",
      rules: guard.regex.rules.map((rule, i) => {
        if (rule.builtin !== undefined) return { _tag: "Builtin", entity: rule.builtin }
        const pattern = rule.pattern ?? ""
        const compiled = compileProgram(pattern)
        if (Result.isFailure(compiled)) to.fail([...path, "regex", "rules", i, "pattern"], compiled.failure)
        return { _tag: "Pattern", pattern, ...present({ name: rule.name }) }
      }),
    }
  }
  if (guard.keywords !== undefined) {
    return { _tag: "Keywords", action: guard.keywords.action ?? "mask", words: guard.keywords.words }
  }
  if ("promptInjection" in guard && guard.promptInjection !== undefined) {
    const { action = "reject", threshold = defaults.injectionThreshold } = guard.promptInjection
    if (threshold === 0) to.fail([...path, "promptInjection", "threshold"], "everything would be one", "Set 0.5.")
    return { _tag: "PromptInjection", action, threshold }
  }
  if (guard.webhook !== undefined) {
    const { minSizeBytes, path: at } = guard.webhook
    if (at !== undefined && !at.startsWith("/")) to.fail([...path, "webhook", "path"], "a path begins with `/`")
    const isRaw = guard.webhook.messageFormat === "raw"
    const target = simpleRef(guard.webhook.target, [...path, "webhook", "target"], to)
    return target === undefined
      ? undefined
      : {
          _tag: "Webhook",
          target,
          headers: expressions(guard.webhook.headers),
          forwardHeaderMatches: (guard.webhook.forwardHeaderMatches ?? []).map((match, i) => ({
            name: match.name.toLowerCase(),
            value: valueMatch(match.value, [...path, "webhook", "forwardHeaderMatches", i, "value"], to),
          })),
          ...present({ path: at }),
          bytesMin: minSizeBytes ?? 0,
          isRaw,
          // Whoever shortens what is said guards nothing: without it the call is dearer, not more dangerous.
          failureMode: guard.webhook.failureMode ?? (isRaw ? "failOpen" : defaults.failureMode),
        }
  }
  if ("openAIModeration" in guard && guard.openAIModeration !== undefined) {
    const { model } = guard.openAIModeration
    return {
      _tag: "OpenAiModeration",
      ...present({ model }),
      ...called(guard.openAIModeration, "openAIModeration"),
    }
  }
  if (guard.bedrockGuardrails !== undefined) {
    const { guardrailIdentifier, guardrailVersion, region } = guard.bedrockGuardrails
    return {
      _tag: "BedrockGuardrails",
      guardrailIdentifier,
      guardrailVersion,
      region,
      ...called(guard.bedrockGuardrails, "bedrockGuardrails"),
    }
  }
  if (guard.googleModelArmor !== undefined) {
    const { location: place, projectId, templateId } = guard.googleModelArmor
    return {
      _tag: "GoogleModelArmor",
      templateId,
      projectId,
      ...present({ location: place }),
      ...called(guard.googleModelArmor, "googleModelArmor"),
    }
  }
  if (guard.azureContentSafety === undefined) return undefined
  const { analyzeText: asked, detectJailbreak, endpoint, severityThreshold } = guard.azureContentSafety
  if (severityThreshold !== undefined && asked?.severityThreshold !== undefined) {
    to.fail([...path, "azureContentSafety", "severityThreshold"], "`analyzeText.severityThreshold` is set too")
  }
  const analyzeText =
    asked === undefined && severityThreshold === undefined ? undefined : { ...present({ severityThreshold }), ...asked }
  return {
    _tag: "AzureContentSafety",
    endpoint,
    ...present({
      analyzeText:
        analyzeText === undefined ? undefined : { ...analyzeText, blocklistNames: analyzeText.blocklistNames ?? [] },
      detectJailbreak,
    }),
    ...called(guard.azureContentSafety, "azureContentSafety"),
  }
}

/** Where what was not written by whoever runs the application comes in. */
const foreignScope = ["messages", "toolOutput"] as const

export const promptGuard = (guards: PromptGuard, path: Path, to: Mapping): IrPromptGuard => ({
  // Whoever guards replies means all of them.
  streaming: guards.streaming !== "Disabled",
  request: (guards.request ?? []).flatMap((guard, i) => {
    const at = [...path, "request", i]
    const kind = guardKind(guard, at, to)
    const scope = guard.scope ?? (guard.promptInjection === undefined ? defaults.guardScope : foreignScope)
    const takesScope =
      guard.promptInjection !== undefined ||
      guard.regex !== undefined ||
      guard.keywords !== undefined ||
      guard.bedrockGuardrails !== undefined
    if (guard.rejection !== undefined && guard.webhook?.messageFormat === "raw") {
      to.warn([...at, "rejection"], "what shortens messages rejects none", "Leave it out.")
    }
    if (guard.scope !== undefined && !takesScope) {
      const usual = guard.scope.every((one) => one === "systemPrompt" || one === "messages") && guard.scope.length === 2
      if (!usual)
        to.fail([...at, "scope"], "only `regex`, `keywords`, `promptInjection` and `bedrockGuardrails` take a scope")
    }
    return kind === undefined ? [] : [{ kind, scope, ...rejection(guard, at, to) }]
  }),
  response: (guards.response ?? []).flatMap((guard, i) => {
    const at = [...path, "response", i]
    if (guard.webhook?.messageFormat === "raw") {
      to.fail([...at, "webhook", "messageFormat"], "`raw` is for requests only", "Use `guardrail` for replies.")
    }
    const kind = guardKind(guard, at, to)
    return kind === undefined ? [] : [{ kind, ...rejection(guard, at, to) }]
  }),
})

const promptCaching = (one: PromptCaching): IrPromptCaching => ({
  cacheSystem: one.cacheSystem ?? true,
  cacheMessages: one.cacheMessages ?? true,
  cacheTools: one.cacheTools ?? false,
  minTokens: one.minTokens ?? defaults.promptCachingMinTokens,
  cacheMessageOffset: one.cacheMessageOffset ?? 0,
})

const responseCache = (policy: ResponseCache, path: Path, to: Mapping): IrResponseCache | undefined => {
  const { semantic } = policy
  const store = policy.store ?? "memory"
  if (store === "redis" && !to.names.hasRedis) {
    to.fail([...path, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
  }
  if (policy.ttl === 0) to.fail([...path, "ttl"], "nothing is kept for no time")
  if (policy.maxEntryBytes === 0) to.fail([...path, "maxEntryBytes"], "no answer is that small")
  if (semantic?.maxEntries === 0) to.fail([...path, "semantic", "maxEntries"], "nothing is found among nothing")
  if (semantic?.path !== undefined && !semantic.path.startsWith("/")) {
    to.fail([...path, "semantic", "path"], "a path begins with `/`")
  }
  const called = semantic === undefined ? undefined : callee(semantic, [...path, "semantic"], to)
  if (semantic !== undefined && called === undefined) return undefined
  return {
    ...present({ key: policy.key }),
    ttlMillis: Math.max(1, policy.ttl ?? defaults.responseCacheTtlMillis),
    store,
    entryBytesMax: Math.max(1, policy.maxEntryBytes ?? defaults.responseCacheEntryBytesMax),
    keepsCadence: policy.cadence === "recorded",
    ...present({
      semantic:
        semantic === undefined || called === undefined
          ? undefined
          : {
              callee: called,
              path: semantic.path ?? "/v1/embeddings",
              model: semantic.model,
              threshold: semantic.threshold ?? defaults.semanticThreshold,
              entriesMax: Math.max(1, semantic.maxEntries ?? defaults.semanticEntriesMax),
              timeoutMillis: semantic.timeout ?? defaults.semanticTimeoutMillis,
            },
    }),
  }
}

const ai = (policy: Ai, path: Path, to: Mapping): IrAi => ({
  _tag: "Ai",
  ...present({
    promptGuard:
      policy.promptGuard === undefined ? undefined : promptGuard(policy.promptGuard, [...path, "promptGuard"], to),
    defaults: policy.defaults,
    overrides: policy.overrides,
    transformations: policy.transformations,
    finalTransformations: policy.finalTransformations,
    prompts:
      policy.prompts === undefined
        ? undefined
        : { prepend: policy.prompts.prepend ?? [], append: policy.prompts.append ?? [] },
    modelAliases: policy.modelAliases,
    promptCaching: policy.promptCaching === undefined ? undefined : promptCaching(policy.promptCaching),
    budgets: policy.budgets === undefined ? undefined : budgets(policy.budgets, [...path, "budgets"], to),
    responseCache:
      policy.responseCache === undefined
        ? undefined
        : responseCache(policy.responseCache, [...path, "responseCache"], to),
    routes: policy.routes,
    models: policy.models?.map(({ created, id, ownedBy }) => ({
      id,
      ...present({ ownedBy, createdSeconds: created }),
    })),
  }),
})

const activeHealth = (one: NonNullable<Health["active"]>, path: Path, to: Mapping): ActiveHealth => {
  const active: ActiveHealth = {
    path: one.path ?? defaults.probePath,
    intervalMillis: one.interval ?? defaults.probeIntervalMillis,
    timeoutMillis: one.timeout ?? defaults.probeTimeoutMillis,
    unhealthyThreshold: one.unhealthyThreshold ?? defaults.probeUnhealthyThreshold,
    healthyThreshold: one.healthyThreshold ?? 1,
    expectedStatuses: one.expectedStatuses ?? [],
  }
  if (!active.path.startsWith("/")) to.fail([...path, "path"], "a path begins with `/`")
  if (active.intervalMillis < probeIntervalMillisMin) {
    to.fail([...path, "interval"], "that is no pause", "Ask every tenth of a second at most.")
  }
  if (active.timeoutMillis === 0) to.fail([...path, "timeout"], "nobody answers in no time")
  for (const field of ["unhealthyThreshold", "healthyThreshold"] as const) {
    if (active[field] === 0) to.fail([...path, field], "one answer is needed at least")
  }
  return active
}

const probeIntervalMillisMin = 100

const health = (policy: Health, path: Path, to: Mapping): IrHealth => {
  const { active, eviction, unhealthyExpression } = policy
  return {
    _tag: "Health",
    ...present({
      active: active === undefined ? undefined : activeHealth(active, [...path, "active"], to),
      unhealthyExpression,
      eviction:
        eviction === undefined
          ? undefined
          : present({
              durationMillis: eviction.duration,
              restoreHealth: eviction.restoreHealth,
              consecutiveFailures: eviction.consecutiveFailures,
              healthThreshold: eviction.healthThreshold,
            }),
    }),
  }
}

const inferenceRouting = (policy: InferenceRouting, path: Path, to: Mapping): IrInferenceRouting | undefined => {
  const endpointPicker = simpleRef(policy.endpointPicker, [...path, "endpointPicker"], to)
  return endpointPicker === undefined
    ? undefined
    : {
        _tag: "InferenceRouting",
        endpointPicker,
        destinationMode: policy.destinationMode ?? "validated",
        failureMode: "failClosed",
      }
}

const expressionProcessor = (
  one: McpGuardrails["processors"][number],
  path: Path,
  to: Mapping,
): ReadonlyArray<McpProcessor> => {
  const { failureMode, methods, reject, transform, when } = one
  for (const field of ["host", "backend", "service", "policies", "metadata", "requestHeaders"] as const) {
    if (one[field] !== undefined)
      to.fail([...path, field], `\`${field}\` is for services only: expressions ask nobody`, "Remove it.")
  }
  if ((reject === undefined) === (transform === undefined))
    to.fail(path, "exactly one of `reject` and `transform` must be set")
  if (transform !== undefined && Object.values(methods).includes("full"))
    to.warn([...path, "methods"], "one `transform` gives both the parameters and the result", "Write two processors.")
  const mode = failureMode ?? defaults.failureMode
  return [{ _tag: "Expressions", methods, failureMode: mode, ...present({ when, reject, transform }) }]
}

const mcpGuardrails = (policy: McpGuardrails, path: Path, to: Mapping): IrMcpGuardrails => ({
  _tag: "McpGuardrails",
  processors: policy.processors.flatMap((one, i): ReadonlyArray<McpProcessor> => {
    const at = [...path, "processors", i]
    for (const pattern of Object.keys(one.methods)) {
      if (!isOfUse(pattern)) to.warn([...at, "methods", pattern], `no method that guardrails see is called ${pattern}`)
    }
    if (one.kind === "expression") return expressionProcessor(one, at, to)
    for (const field of ["when", "reject", "transform"] as const) {
      if (one[field] !== undefined)
        to.fail([...at, field], `\`${field}\` is for expressions only`, "Write `kind: expression`.")
    }
    const called = callee(one, at, to)
    const { allowed, disallowed } = one.requestHeaders ?? {}
    return called === undefined
      ? []
      : [
          {
            _tag: "Remote",
            methods: one.methods,
            callee: called,
            failureMode: one.failureMode ?? defaults.failureMode,
            metadata: expressions(one.metadata),
            requestHeaders: {
              allowed: headerNames(allowed, [...at, "requestHeaders", "allowed"], to),
              disallowed: headerNames(disallowed, [...at, "requestHeaders", "disallowed"], to),
            },
          },
        ]
  }),
})

/** Sources of affinity that need no expression evaluator; others wait for it. */
const sessionAffinity = (policy: { readonly source: Expression }): BackendPolicy => ({
  _tag: "SessionAffinity",
  source: policy.source,
})

type Mapped<Source, Policy> = {
  readonly [K in keyof Source]-?: (
    policy: NonNullable<Source[K]>,
    path: Path,
    to: Mapping,
    owner: string,
  ) => Policy | undefined
}

type TrafficSource = Omit<
  RoutePolicies,
  | "backendTLS"
  | "backendAuth"
  | "backendTunnel"
  | "http"
  | "tcp"
  | "health"
  | "sessionAffinity"
  | "inferenceRouting"
  | "a2a"
  | "mcpAuthorization"
  | "mcpGuardrails"
>

const traffic: Mapped<TrafficSource, TrafficPolicy> = {
  ipAccessControl,
  oidc,
  jwtAuth,
  authorization: (policy, path, to) => authorized("Authorization", policy, path, to),
  extAuthz: (policy: ExtAuthz, path, to) =>
    conditionally(policy, path, (one: PlainExtAuthz, at) => extAuthz(one, at, to)),
  extProc: (policy: ExtProc, path, to) => conditionally(policy, path, (one: PlainExtProc, at) => extProc(one, at, to)),
  cors,
  transformations: (policy: TransformationsPolicy, path, to) =>
    conditionally(policy, path, (one: Exclude<TransformationsPolicy, { readonly conditional: unknown }>, at) =>
      transformations(one, at, to),
    ),
  basicAuth,
  apiKey,
  mcpAuthentication,
  localRateLimit,
  remoteRateLimit: (policy: RemoteRateLimit, path, to) =>
    conditionally(policy, path, (one: PlainRemoteRateLimit, at) => remoteRateLimit(one, at, to)),
  concurrencyLimit,
  bodyLimit,
  csrf,
  buffer,
  timeout: (policy) => ({
    _tag: "Timeout",
    ...present({
      requestMillis: policy.requestTimeout,
      backendRequestMillis: policy.backendRequestTimeout,
      idleMillis: policy.idleTimeout,
    }),
  }),
  retry,
  delay: (policy: Delay, path, to) => conditionally(policy, path, (one: PlainDelay, at) => delay(one, at, to)),
  directResponse: (policy: DirectResponse, path, to) =>
    conditionally(policy, path, (one: Direct, at) => directResponse(one, at, to)),
  requestRedirect,
  requestHeaderModifier: (edits, path, to) => ({ _tag: "RequestHeaderModifier", ...headerEdits(edits, path, to) }),
  responseHeaderModifier: (edits, path, to) => ({ _tag: "ResponseHeaderModifier", ...headerEdits(edits, path, to) }),
  requestMirror,
  urlRewrite,
  ai,
}

const a2aCard = (
  { sign, verify }: NonNullable<NonNullable<BackendPolicies["a2a"]>["card"]>,
  path: Path,
  to: Mapping,
): A2aCard => {
  const keys = verify === undefined ? undefined : keySet(verify.jwks, [...path, "verify", "jwks"], to)
  const key = sign === undefined ? undefined : secret(sign.key, [...path, "sign", "key"], to)
  const text = key === undefined ? "" : Redacted.value(key).trimStart()
  if (key !== undefined && !text.startsWith("{") && !/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text)) {
    to.fail([...path, "sign", "key"], "expected a private key, in PEM or as a JWK")
  }
  return present({
    verify: verify === undefined || keys === undefined ? undefined : { mode: verify.mode ?? "required", keys },
    sign: sign === undefined || key === undefined ? undefined : { key, ...present({ keyId: sign.keyId }) },
  })
}

const a2aLock = (lock: NonNullable<BackendPolicies["a2a"]>["toolLock"]): { readonly lock?: ToolLock } => {
  if (lock === undefined || lock.mode === "off") return {}
  const { file, mode = "tofu", recheck } = lock
  const book = file === undefined ? ({ _tag: "Storage" } as const) : ({ _tag: "File", path: file } as const)
  return { lock: { mode, book, recheckMillis: recheck ?? defaults.toolLockRecheckMillis } }
}

type A2aSource = NonNullable<BackendPolicies["a2a"]>

/** What messages there may be, and what may be in them. */
const messageRules = (
  { bridge, budgets: spending, foreignTasks, guardrails, publish, rateLimits }: A2aSource,
  path: Path,
  to: Mapping,
): Pick<Extract<BackendPolicy, { readonly _tag: "A2a" }>, "guard" | "limit" | "budgets" | "foreignTasks"> => {
  const names = new Set<string>()
  const budgets = (spending ?? []).map((one, i): MessageBudget => {
    const at = [...path, "budgets", i]
    if (names.has(one.name)) to.fail([...at, "name"], `two budgets are called \`${one.name}\``)
    names.add(one.name)
    if (one.window <= 0) to.fail([...at, "window"], "the window is longer than nothing")
    if (one.store === "redis" && !to.names.hasRedis) {
      to.fail([...at, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
    }
    return {
      name: one.name,
      ...present({ key: one.key }),
      messages: one.messages,
      windowMillis: Math.max(1, one.window),
      ...(one.store === "redis" ? { store: "redis" as const } : {}),
    }
  })
  const limits = (rateLimits ?? []).map((one, i) => {
    const at = [...path, "rateLimits", i]
    if (one.type === "tokens") to.fail([...at, "type"], "agents are sent messages, not tokens", "Leave it out.")
    return bucket(one, at, to)
  })
  if (guardrails !== undefined && bridge === undefined && publish === undefined) {
    to.fail(
      [...path, "guardrails"],
      "messages that are only passed on are not looked into",
      "Set `bridge: {}` beside it: then the gateway reads them.",
    )
  }
  for (const [i, { scope, webhook }] of (guardrails?.request ?? []).entries()) {
    const at = [...path, "guardrails", "request", i]
    if (webhook?.messageFormat === "raw") {
      to.fail([...at, "webhook", "messageFormat"], "agents have no messages of models", "Leave it out.")
    }
    if (scope !== undefined && !scope.includes("messages")) {
      to.fail([...at, "scope"], "what is said to an agent is messages", "Leave it out.")
    }
  }
  if (foreignTasks !== undefined && publish !== undefined) {
    to.fail([...path, "foreignTasks"], "tasks of what the gateway publishes are their callers' alone", "Leave it out.")
  }
  const [firstBudget, ...moreBudgets] = budgets
  return {
    ...present({ foreignTasks }),
    ...(guardrails === undefined
      ? {}
      : { guard: promptGuard({ ...guardrails, streaming: "Enabled" }, [...path, "guardrails"], to) }),
    ...(limits.length === 0 ? {} : { limit: { _tag: "LocalRateLimit" as const, id: path.join("/"), limits } }),
    ...(firstBudget === undefined ? {} : { budgets: [firstBudget, ...moreBudgets] as const }),
  }
}

const a2a = (policy: A2aSource, path: Path, to: Mapping): BackendPolicy => {
  const { bridge } = policy
  const own = {
    ...messageRules(policy, path, to),
    ...(policy.card === undefined ? {} : { card: a2aCard(policy.card, [...path, "card"], to) }),
    ...a2aLock(policy.toolLock),
  }
  const { publish } = policy
  const card =
    publish === undefined
      ? own
      : {
          ...own,
          publish: {
            name: publish.name,
            ...present({
              description: publish.description,
              version: publish.version,
              model: publish.model,
              instructions: publish.instructions,
            }),
            skills: (publish.skills ?? []).map(({ id, ...skill }) => ({ id, ...present(skill) })),
          },
        }
  if (publish !== undefined && (bridge?.interfaces !== undefined || bridge?.card !== undefined)) {
    to.fail([...path, "bridge"], "what the gateway publishes itself has no card or interfaces of its own")
  }
  if (publish !== undefined && policy.toolLock !== undefined) {
    to.fail([...path, "toolLock"], "the card of what the gateway publishes is its own; nobody else can change it")
  }
  if (publish !== undefined && policy.card?.verify !== undefined) {
    to.fail([...path, "card", "verify"], "the card of what the gateway publishes is its own")
  }
  if (bridge === undefined) return { _tag: "A2a", ...card }
  const interfaces = (bridge.interfaces ?? []).flatMap(({ target, ...one }, i): ReadonlyArray<A2aInterface> => {
    const at = [...path, "bridge", "interfaces", i]
    if (target?._tag === "Unix") to.fail([...at, "target"], "expected `host:port`")
    if (one.binding === "GRPC" && one.path !== undefined) to.fail([...at, "path"], "gRPC interfaces have no path")
    if (one.path !== undefined && !one.path.startsWith("/")) to.fail([...at, "path"], "a path begins with `/`")
    return [
      {
        binding: one.binding,
        version: one.version ?? "1.0",
        ...present({
          path: one.path,
          tenant: one.tenant,
          target: target?._tag === "Host" ? { host: target.host, port: target.port } : undefined,
        }),
      },
    ]
  })
  return {
    _tag: "A2a",
    ...card,
    bridge: { interfaces, ...present({ cardPath: bridge.card, offers: bridge.offers }) },
  }
}

const onBackend: Mapped<BackendPolicies, BackendPolicy> = {
  backendTLS: backendTls,
  backendAuth,
  backendTunnel,
  http: backendHttp,
  tcp: backendTcp,
  health,
  sessionAffinity,
  a2a,
  mcpAuthorization: (policy, path, to) => authorized("McpAuthorization", policy, path, to),
  mcpGuardrails,
  inferenceRouting,
  requestHeaderModifier: (edits, path, to) => ({ _tag: "RequestHeaderModifier", ...headerEdits(edits, path, to) }),
  responseHeaderModifier: (edits, path, to) => ({ _tag: "ResponseHeaderModifier", ...headerEdits(edits, path, to) }),
  requestRedirect,
  requestMirror,
  transformations,
  authorization: (policy, path, to) => authorized("Authorization", policy, path, to),
  extAuthz,
  ai,
}

/** Applies a table to the policies that are set, and refuses those that are not built. */
const mapAll = <Source extends object, Policy>(
  table: Mapped<Source, Policy>,
  source: Source,
  keys: ReadonlyArray<string>,
  path: Path,
  to: Mapping,
  owner: string,
): ReadonlyArray<Policy> => {
  const all: Array<Policy> = []
  for (const key of keys) {
    if (!Object.hasOwn(source, key) || !Object.hasOwn(table, key)) continue
    const name = key as keyof Source & string
    const policy = source[name]
    if (policy === undefined || policy === null || to.refused("policies", name, [...path, name])) continue
    const mapped = table[name](policy as NonNullable<Source[typeof name]>, [...path, name], to, owner)
    if (mapped !== undefined) all.push(mapped)
  }
  return all
}

const trafficKeys = Object.keys(traffic)
const backendKeys = Object.keys(onBackend)
const backendOnlyKeys = backendKeys.filter((key) => !Object.hasOwn(traffic, key))

/** The policies of a route that act on the exchange. */
export const trafficPolicies = (
  policies: TrafficSource,
  path: Path,
  to: Mapping,
  owner: string,
): ReadonlyArray<TrafficPolicy> => mapAll(traffic, policies, trafficKeys, path, to, owner)

/** The policies of a route that act on its backends. */
export const backendPoliciesOfRoute = (
  policies: RoutePolicies,
  path: Path,
  to: Mapping,
): ReadonlyArray<BackendPolicy> =>
  mapAll<BackendPolicies, BackendPolicy>(onBackend, policies as BackendPolicies, backendOnlyKeys, path, to, "")

export const backendPolicies = (policies: BackendPolicies, path: Path, to: Mapping): ReadonlyArray<BackendPolicy> =>
  mapAll(onBackend, policies, backendKeys, path, to, "")

export const isBackendPolicy = (key: string): boolean => Object.hasOwn(onBackend, key)
export const isTrafficPolicy = (key: string): boolean => Object.hasOwn(traffic, key)

const accessLog = (policy: AccessLog, path: Path, to: Mapping): IrAccessLog => {
  const { database, otlp } = policy
  const called = otlp === undefined ? undefined : callee(otlp, [...path, "otlp"], to)
  if (policy.fields !== undefined && (policy.add ?? policy.remove) !== undefined) {
    to.fail([...path, "fields"], "`fields` is an older place of `add` and `remove`; use one of the two")
  }
  const { add, remove } = policy.fields ?? policy
  return {
    _tag: "AccessLog",
    fields: { add: expressions(add), remove: remove ?? [] },
    ...present({
      filter: policy.filter,
      otlp:
        otlp === undefined || called === undefined
          ? undefined
          : {
              callee: called,
              protocol: otlp.protocol ?? defaults.otlpProtocol,
              path: otlp.path ?? defaults.otlpLogsPath,
              ...present({
                filter: otlp.filter,
                fields:
                  otlp.fields === undefined
                    ? undefined
                    : { add: expressions(otlp.fields.add), remove: otlp.fields.remove ?? [] },
              }),
            },
      database:
        database === undefined ? undefined : { llm: database.llm ?? "metadata", add: expressions(database.add) },
    }),
  }
}

const sampling = (one: NonNullable<Tracing["randomSampling"]>, path: Path, to: Mapping): Sampling | undefined => {
  if (typeof one === "string") return { _tag: "Computed", expression: one as Expression }
  const fraction = typeof one === "boolean" ? (one ? 1 : 0) : one
  return fraction >= 0 && fraction <= 1
    ? { _tag: "Fraction", fraction }
    : to.fail(path, "expected a number from 0.0 to 1.0")
}

const tracing = (policy: Tracing, path: Path, to: Mapping): IrTracing | undefined => {
  const called = callee(policy, path, to)
  const { clientSampling, randomSampling } = policy
  return called === undefined
    ? undefined
    : {
        _tag: "Tracing",
        callee: called,
        attributes: expressions(policy.attributes),
        resources: expressions(policy.resources),
        remove: policy.remove ?? [],
        path: policy.path ?? defaults.otlpTracesPath,
        protocol: policy.protocol ?? defaults.otlpProtocol,
        ...present({
          filter: policy.filter,
          randomSampling:
            randomSampling === undefined ? undefined : sampling(randomSampling, [...path, "randomSampling"], to),
          clientSampling:
            clientSampling === undefined ? undefined : sampling(clientSampling, [...path, "clientSampling"], to),
        }),
      }
}

const http = (policy: NonNullable<FrontendPolicies["http"]>): IrHttp => ({
  _tag: "Http",
  ...present({
    maxBufferBytes: policy.maxBufferSize,
    http1MaxHeaders: policy.http1MaxHeaders,
    http1IdleTimeoutMillis: policy.http1IdleTimeout,
    http1HeaderCase: policy.http1HeaderCase,
    http2WindowBytes: policy.http2WindowSize,
    http2ConnectionWindowBytes: policy.http2ConnectionWindowSize,
    http2FrameBytes: policy.http2FrameSize,
    http2MaxHeaderBytes: policy.http2MaxHeaderSize,
    http2KeepaliveIntervalMillis: policy.http2KeepaliveInterval,
    http2KeepaliveTimeoutMillis: policy.http2KeepaliveTimeout,
    maxConnectionMillis: policy.maxConnectionDuration,
  }),
})

const tls = (policy: NonNullable<FrontendPolicies["tls"]>, path: Path, to: Mapping): IrTls => {
  if (policy.minVersion === "TLSv1.3" && policy.maxVersion === "TLSv1.2") to.fail(path, "invalid TLS version range")
  return {
    _tag: "Tls",
    ...present({
      handshakeTimeoutMillis: policy.handshakeTimeout,
      alpn: policy.alpn,
      minVersion: policy.minVersion,
      maxVersion: policy.maxVersion,
      cipherSuites: policy.cipherSuites,
      keyExchangeGroups: policy.keyExchangeGroups,
    }),
  }
}

const frontend: Mapped<FrontendPolicies, FrontendPolicy> = {
  http,
  tls,
  tcp: (policy) => ({ _tag: "Tcp", keepalive: keepalive(policy.keepalives) }),
  networkAuthorization: (policy, path, to) => authorized("NetworkAuthorization", policy, path, to),
  networkExtAuthz,
  connectionLimit,
  proxyProtocol: (policy) => ({
    _tag: "ProxyProtocol",
    version: policy.version ?? defaults.proxyVersion,
    mode: policy.mode ?? defaults.proxyMode,
  }),
  proxy: (policy) => ({
    _tag: "ProxyProtocol",
    version: policy.version ?? defaults.proxyVersion,
    mode: policy.mode ?? defaults.proxyMode,
  }),
  connect: (policy) => ({ _tag: "Connect", mode: policy.mode }),
  accessLog,
  logging: accessLog,
  tracing,
}

const frontendKeys = Object.keys(frontend)

/** Each by the name it has in keys of attachments: an alias counts as the field it stands for. */
export const frontendPolicies = (
  policies: FrontendPolicies,
  path: Path,
  to: Mapping,
): ReadonlyArray<readonly [string, FrontendPolicy]> =>
  frontendKeys.flatMap((key) =>
    mapAll(frontend, policies, [key], path, to, "").map(
      (policy) => [{ proxy: "proxyProtocol", logging: "accessLog" }[key] ?? key, policy] as const,
    ),
  )
