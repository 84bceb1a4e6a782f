/** Every policy as the file writes it, and which of them each place takes. */
import type { Named } from "../../../ir/Named.ts"
import { modelRouteTypes } from "../../../ir/policy/Ai.ts"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import {
  BackendAuth,
  BackendHttp,
  BackendTcp,
  BackendTunnel,
  calleeFields,
  CalleePolicies,
  HeaderEdits,
  Keepalive,
  Location,
  SimpleRef,
  Transformations,
} from "./callee.ts"
import {
  anyCase,
  Cel,
  CelMap,
  Count,
  exactlyOne,
  FileInlineOrRemote,
  otlpProtocol,
  FileName,
  FileOrInline,
  Fraction,
  Millis,
  oneSpelling,
  opt,
  req,
  Target,
  Port,
  Status,
  Texts,
  TextMap,
} from "./grammar.ts"
import { HeaderMatch } from "./match.ts"
import { BackendTls, overrides } from "./tls.ts"

const failureMode = anyCase(["failClosed", "failOpen"])

const entryOrder = Schema.makeFilter<ReadonlyArray<{ readonly condition?: unknown }>>((entries) => {
  if (entries.length > 64) return "conditional policies have 64 entries at most"
  const early = entries.findIndex((entry, i) => entry.condition === undefined && i < entries.length - 1)
  return early < 0 ? undefined : { path: [early], issue: "conditional policy entries without condition must be last" }
})

/** `{…}` itself, or `{conditional: [{condition, …}, …]}`. */
const conditional = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Union([
    Schema.Struct(fields),
    Schema.Struct({
      conditional: Schema.NonEmptyArray(Schema.Struct({ ...fields, condition: opt(Cel) })).check(entryOrder),
    }),
  ])

const Rule = Schema.Union([
  Cel,
  exactlyOne(Schema.Struct({ allow: opt(Cel), deny: opt(Cel), require: opt(Cel) }), ["allow", "deny", "require"]),
])
const ruleSetShape = Schema.Struct({ rules: Schema.Array(Rule) }).annotate({ identifier: "RuleSet" })
export interface RuleSetSchema extends Named<typeof ruleSetShape> {}
export const RuleSet: RuleSetSchema = ruleSetShape
export type RuleSet = typeof RuleSet.Type

const cedarEntity = Schema.Struct({
  type: Schema.NonEmptyString,
  id: Cel,
  attributes: opt(CelMap),
  parents: opt(Cel, 'A list of texts such as `Group::"admins"`.'),
})

const cedarShape = Schema.Struct({
  policies: FileOrInline,
  entities: opt(FileOrInline, "A list of entities, in JSON."),
  schema: opt(FileOrInline, "What the policies are checked against on load."),
  principal: opt(cedarEntity, "Who asks; made of what is known of the caller unless set."),
  action: opt(Cel, "The name of the action; the method unless set."),
  resource: opt(cedarEntity, "What is asked for; the path unless set."),
  context: opt(CelMap),
}).annotate({ identifier: "Cedar", description: "Policies in Cedar, judging beside the rules." })
export interface CedarSchema extends Named<typeof cedarShape> {}
export const Cedar: CedarSchema = cedarShape
export type Cedar = typeof Cedar.Type

const authorizationShape = Schema.Struct({ rules: opt(Schema.Array(Rule)), cedar: opt(Cedar) })
  .check(
    Schema.makeFilter(({ cedar, rules }) =>
      cedar === undefined && rules === undefined ? "one of `rules` and `cedar` must be set" : undefined,
    ),
  )
  .annotate({ identifier: "Authorization" })
export interface AuthorizationSchema extends Named<typeof authorizationShape> {}
export const Authorization: AuthorizationSchema = authorizationShape
export type Authorization = typeof Authorization.Type

const authenticationMode = anyCase(["strict", "optional", "permissive"])

const validation = opt(Schema.Struct({ requiredClaims: opt(Texts) }))
const provider = {
  issuer: Schema.NonEmptyString,
  audiences: opt(Texts),
  jwks: FileInlineOrRemote,
  jwtValidationOptions: validation,
}
const jwtAuthShape = Schema.Union([
  Schema.Struct({
    mode: opt(authenticationMode),
    location: opt(Location),
    providers: Schema.Array(Schema.Struct(provider)),
  }),
  Schema.Struct({ mode: opt(authenticationMode), location: opt(Location), ...provider }),
]).annotate({ identifier: "JwtAuth", description: "Check bearer tokens." })
export interface JwtAuthSchema extends Named<typeof jwtAuthShape> {}
export const JwtAuth: JwtAuthSchema = jwtAuthShape
export type JwtAuth = typeof JwtAuth.Type

const providerName = ["auth0", "keycloak", "okta", "descope", "authentik", "entra"] as const
const mcpAuthenticationShape = Schema.Struct({
  issuer: Schema.NonEmptyString,
  audiences: Texts,
  provider: opt(
    exactlyOne(
      Schema.Struct({
        auth0: opt(Schema.Struct({})),
        keycloak: opt(Schema.Struct({})),
        okta: opt(Schema.Struct({})),
        descope: opt(Schema.Struct({})),
        authentik: opt(Schema.Struct({})),
        entra: opt(Schema.Struct({})),
      }),
      providerName,
    ),
  ),
  resourceMetadata: Schema.Record(Schema.String, Schema.Json),
  jwks: opt(FileInlineOrRemote),
  mode: opt(authenticationMode),
  authorizationLocation: opt(Location),
  jwtValidationOptions: validation,
  clientId: opt(Schema.NonEmptyString),
  clientSecret: opt(FileOrInline),
  relaySigningKey: opt(
    FileOrInline,
    "For `entra` or `keycloak` with a `clientId`: one redirect URI, `…/callback` of the stand-in, for all clients. 32 bytes in hexadecimal.",
  ),
  relayRedirectUris: opt(
    Texts,
    "With `relaySigningKey`: redirect URIs of clients that are not on the person's own machine.",
  ),
  scopes: opt(Texts, "What every token must have been granted."),
  stepUp: opt(
    Schema.Array(Schema.Struct({ condition: Cel, scopes: Texts })),
    "Further scopes that are needed for requests of which an expression is true.",
  ),
}).annotate({ identifier: "McpAuthentication" })
export interface McpAuthenticationSchema extends Named<typeof mcpAuthenticationShape> {}
export const McpAuthentication: McpAuthenticationSchema = mcpAuthenticationShape
export type McpAuthentication = typeof McpAuthentication.Type

const basicAuthShape = Schema.Struct({
  htpasswd: FileOrInline,
  realm: opt(Schema.String),
  mode: opt(anyCase(["strict", "optional"])),
  authorizationLocation: opt(Location),
}).annotate({ identifier: "BasicAuth" })
export interface BasicAuthSchema extends Named<typeof basicAuthShape> {}
export const BasicAuth: BasicAuthSchema = basicAuthShape
export type BasicAuth = typeof BasicAuth.Type

const sha256 = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-fA-F]{64}$/, { message: "expected `sha256:` and 64 hexadecimal digits" }),
)
export const Budgets = Schema.Array(
  Schema.Struct({
    name: Schema.NonEmptyString,
    key: opt(Cel, "Whoever has the same value shares it; all together unless set."),
    usd: opt(Schema.Finite.check(Schema.isGreaterThan(0, { message: "expected an amount above 0" }))),
    tokens: opt(Count),
    window: req(Millis, "Windows begin at multiples of it since 1970: `1h`, `24h`."),
    onExceeded: opt(anyCase(["reject", "warn"]), "`reject` unless set."),
    store: opt(anyCase(["database", "redis"]), "Where it is kept: `config.database` unless set, or `config.redis`."),
  }).annotate({ identifier: "Budget" }),
)
export type Budgets = typeof Budgets.Type

const apiKeyShape = Schema.Struct({
  keys: Schema.Array(
    exactlyOne(
      Schema.Struct({
        key: opt(FileOrInline),
        keyHash: opt(sha256),
        metadata: opt(Schema.Json),
        allowedModels: opt(Texts),
        allowedTools: opt(Texts, "Tools of MCP servers: `tool` or `target/tool`, with `*` for any part."),
        budgets: opt(Budgets),
        expiresAt: opt(Schema.String),
      }),
      ["key", "keyHash"],
    ),
  ),
  virtual: opt(Schema.Boolean, "Whether keys that the gateway gave out itself are good here too."),
  mode: opt(authenticationMode),
  location: opt(Location),
}).annotate({ identifier: "ApiKey" })
export interface ApiKeySchema extends Named<typeof apiKeyShape> {}
export const ApiKey: ApiKeySchema = apiKeyShape
export type ApiKey = typeof ApiKey.Type

const oidcShape = Schema.Struct({
  issuer: Schema.NonEmptyString,
  discovery: opt(FileInlineOrRemote),
  authorizationEndpoint: opt(Schema.NonEmptyString),
  tokenEndpoint: opt(Schema.NonEmptyString),
  jwks: opt(FileInlineOrRemote),
  tokenEndpointAuth: opt(anyCase(["clientSecretBasic", "clientSecretPost"])),
  clientId: Schema.NonEmptyString,
  clientSecret: FileOrInline,
  redirectURI: Schema.NonEmptyString,
  scopes: opt(Texts),
  cookieSecret: opt(
    FileOrInline,
    "What cookies are sealed with: 32 bytes in hexadecimal; OIDC_COOKIE_SECRET of the environment unless set.",
  ),
  sessionLifetime: opt(Millis, "How long a session can be renewed; 12h unless set."),
  logout: opt(
    Schema.Struct({
      path: Schema.NonEmptyString,
      redirectURI: opt(Schema.NonEmptyString, "Where browsers go afterwards."),
      backChannelPath: opt(Schema.NonEmptyString, "Where the provider says that it has ended sessions by itself."),
    }),
  ),
}).annotate({ identifier: "Oidc", description: "Log browsers in." })
export interface OidcSchema extends Named<typeof oidcShape> {}
export const Oidc: OidcSchema = oidcShape
export type Oidc = typeof Oidc.Type

const bucket = {
  maxTokens: opt(Count),
  tokensPerFill: opt(Count),
  fillInterval: opt(Millis),
  limit: opt(Count, "How many in one `unit`; short for the three above."),
  unit: opt(
    anyCase(["seconds", "minutes", "hours", "days"], {
      second: "seconds",
      minute: "minutes",
      hour: "hours",
      day: "days",
    }),
  ),
  type: opt(anyCase(["requests", "tokens"])),
  key: opt(Cel, "Whose limit it is: each value of the expression has a bucket of its own."),
  shared: opt(Schema.Boolean, "Counted together with other gateways, in the Redis that `config.redis` names."),
}
const Bucket = Schema.Struct(bucket)
const localRateLimitShape = Schema.Union([
  Schema.Array(Bucket),
  Schema.Struct({
    conditional: Schema.NonEmptyArray(Schema.Struct({ ...bucket, condition: opt(Cel) })).check(entryOrder),
  }),
]).annotate({ identifier: "LocalRateLimit" })
export interface LocalRateLimitSchema extends Named<typeof localRateLimitShape> {}
export const LocalRateLimit: LocalRateLimitSchema = localRateLimitShape
export type LocalRateLimit = typeof LocalRateLimit.Type

const concurrency = {
  maxConcurrent: req(Count, "How many exchanges may be under way at once."),
  key: opt(Cel, "Whose limit it is: each value of the expression is counted for itself."),
  queue: opt(
    Schema.Struct({
      maxWaiting: req(Count, "How many may wait for their turn."),
      timeout: opt(Millis, "How long each may wait; 5s unless set."),
    }),
    "Absent: whoever finds no room is refused at once.",
  ),
  status: opt(Schema.Literals([429, 503]), "503 unless set."),
  retryAfter: opt(Millis, "What is said in `Retry-After`; 1s unless set."),
}
const concurrencyLimitShape = Schema.Union([
  Schema.Array(Schema.Struct(concurrency)),
  Schema.Struct({
    conditional: Schema.NonEmptyArray(Schema.Struct({ ...concurrency, condition: opt(Cel) })).check(entryOrder),
  }),
]).annotate({ identifier: "ConcurrencyLimit" })
export interface ConcurrencyLimitSchema extends Named<typeof concurrencyLimitShape> {}
export const ConcurrencyLimit: ConcurrencyLimitSchema = concurrencyLimitShape
export type ConcurrencyLimit = typeof ConcurrencyLimit.Type

const longest = opt(Schema.Struct({ maxBytes: Count }))
const BodyLimit = Schema.Struct({ request: longest, response: longest }).annotate({ identifier: "BodyLimit" })
export type BodyLimit = typeof BodyLimit.Type

const ipAccessControlShape = Schema.Struct({
  allow: opt(Texts, "Ranges such as `10.0.0.0/8`; any address unless set."),
  deny: opt(Texts, "Ranges that may not pass, whatever `allow` says."),
  xffNumTrustedHops: opt(Count, "How many proxies in front write `X-Forwarded-For`; the connection counts unless set."),
  skipPrivateIps: opt(Schema.Boolean, "Lets addresses pass that are not public."),
  enforceFullChain: opt(Schema.Boolean, "Judges every address of `X-Forwarded-For`, and that of the connection."),
  maxXffLength: opt(Count, "More addresses in `X-Forwarded-For` are refused; 30 unless set."),
}).annotate({ identifier: "IpAccessControl", description: "Which addresses may pass." })
export interface IpAccessControlSchema extends Named<typeof ipAccessControlShape> {}
export const IpAccessControl: IpAccessControlSchema = ipAccessControlShape
export type IpAccessControl = typeof IpAccessControl.Type

const ConnectionLimit = Schema.Struct({
  maxConnections: opt(Count, "Open at once, in all."),
  maxConnectionsPerAddress: opt(Count, "Open at once from one address; of IPv6 the first 64 bits count."),
}).annotate({ identifier: "ConnectionLimit" })

const remoteRateLimit = {
  ...calleeFields,
  domain: Schema.String,
  descriptors: Schema.Array(
    Schema.Struct({
      entries: Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Cel })),
      type: opt(anyCase(["requests", "tokens"])),
      cost: opt(Cel),
      limitOverride: opt(Cel),
    }),
  ),
  failureMode: opt(failureMode),
}
const remoteRateLimitShape = conditional(remoteRateLimit).annotate({ identifier: "RemoteRateLimit" })
export interface RemoteRateLimitSchema extends Named<typeof remoteRateLimitShape> {}
export const RemoteRateLimit: RemoteRateLimitSchema = remoteRateLimitShape
export type RemoteRateLimit = typeof RemoteRateLimit.Type

const ofHttp = {
  path: opt(Cel),
  redirect: opt(Cel),
  body: opt(Cel),
  includeResponseHeaders: opt(Texts),
  addRequestHeaders: opt(CelMap),
  metadata: opt(CelMap),
}
const ofGrpc = { context: opt(TextMap), metadata: opt(CelMap) }
const extAuthz = {
  ...calleeFields,
  protocol: opt(
    Schema.Union([
      exactlyOne(Schema.Struct({ grpc: opt(Schema.Struct(ofGrpc)), http: opt(Schema.Struct(ofHttp)) }), [
        "grpc",
        "http",
      ]),
      anyCase(["grpc", "http"]),
    ]),
    "`{grpc: …}` or `{http: …}`; or, in an older way, one of the words, with the settings beside it.",
  ),
  ...ofGrpc,
  ...ofHttp,
  failureMode: opt(Schema.Union([anyCase(["allow", "deny"]), Schema.Struct({ denyWithStatus: Status })])),
  includeRequestHeaders: opt(Texts),
  includeRequestBody: opt(
    Schema.Struct({
      maxRequestBytes: opt(Count, "8192 unless set."),
      allowPartialMessage: opt(Schema.Boolean),
      packAsBytes: opt(Schema.Boolean),
    }),
  ),
  cache: opt(
    Schema.Struct({
      key: Schema.Array(Cel),
      ttl: Schema.NonEmptyString.annotateKey({ description: "A duration, or an expression over the answer." }),
      maxEntries: opt(Count),
    }),
  ),
}
const plainExtAuthz = Schema.Struct(extAuthz)
export type PlainExtAuthz = typeof plainExtAuthz.Type
const extAuthzShape = conditional(extAuthz).annotate({ identifier: "ExtAuthz" })
export interface ExtAuthzSchema extends Named<typeof extAuthzShape> {}
export const ExtAuthz: ExtAuthzSchema = extAuthzShape
export type ExtAuthz = typeof ExtAuthz.Type

const bodyMode = anyCase(["none", "buffered", "bufferedPartial", "fullDuplexStreamed"])
const headMode = anyCase(["send", "skip"])
const extProc = {
  ...calleeFields,
  failureMode: opt(failureMode),
  metadataContext: opt(Schema.Record(Schema.String, CelMap)),
  requestAttributes: opt(CelMap),
  responseAttributes: opt(CelMap),
  processingOptions: opt(
    Schema.Struct({
      requestBodyMode: opt(bodyMode),
      responseBodyMode: opt(bodyMode),
      requestHeaderMode: opt(headMode),
      responseHeaderMode: opt(headMode),
      requestTrailerMode: opt(headMode),
      responseTrailerMode: opt(headMode),
      allowModeOverride: opt(Schema.Boolean),
    }),
  ),
}
const extProcShape = conditional(extProc).annotate({ identifier: "ExtProc" })
export interface ExtProcSchema extends Named<typeof extProcShape> {}
export const ExtProc: ExtProcSchema = extProcShape
export type ExtProc = typeof ExtProc.Type

const ConditionalTransformations = conditional(Transformations).annotate({ identifier: "Transformations" })
export type TransformationsPolicy = typeof ConditionalTransformations.Type

const corsShape = Schema.Struct({
  allowCredentials: opt(Schema.Boolean),
  allowHeaders: opt(Texts),
  allowMethods: opt(Texts),
  allowOrigins: opt(Texts, "`*`, an origin, or an origin with a wildcard in its host."),
  exposeHeaders: opt(Texts),
  maxAge: opt(Millis),
}).annotate({ identifier: "Cors", description: "Answer preflights and tell browsers what a page may read." })
export interface CorsSchema extends Named<typeof corsShape> {}
export const Cors: CorsSchema = corsShape
export type Cors = typeof Cors.Type

const Csrf = Schema.Struct({ additionalOrigins: opt(Texts) }).annotate({ identifier: "Csrf" })

const hold = opt(Schema.Struct({ maxBytes: opt(Count), failureMode: opt(failureMode) }))
const Buffer = Schema.Struct({ request: hold, response: hold }).annotate({ identifier: "Buffer" })
export type Buffer = typeof Buffer.Type

const authorityChange = { full: opt(Schema.NonEmptyString), host: opt(Schema.NonEmptyString), port: opt(Port) }
const PathChange = exactlyOne(Schema.Struct({ full: opt(Schema.String), prefix: opt(Schema.String) }), [
  "full",
  "prefix",
])
export type PathChange = typeof PathChange.Type
const AuthorityChange = exactlyOne(Schema.Struct(authorityChange), ["full", "host", "port"])
export type AuthorityChange = typeof AuthorityChange.Type

const UrlRewrite = Schema.Struct({
  authority: opt(Schema.Union([anyCase(["auto", "none"]), AuthorityChange])),
  path: opt(PathChange),
}).annotate({ identifier: "UrlRewrite" })
export type UrlRewrite = typeof UrlRewrite.Type

const RequestRedirect = Schema.Struct({
  scheme: opt(Schema.NonEmptyString),
  authority: opt(Schema.Union([anyCase(["none"]), AuthorityChange])),
  path: opt(PathChange),
  status: opt(Status, "302 unless set."),
}).annotate({ identifier: "RequestRedirect" })
export type RequestRedirect = typeof RequestRedirect.Type

const RequestMirror = Schema.Struct({
  backend: SimpleRef,
  percentage: Fraction.annotateKey({ description: "Share of the requests to mirror, from 0.0 to 1.0." }),
}).annotate({ identifier: "RequestMirror" })
export type RequestMirror = typeof RequestMirror.Type

const utf8 = new TextDecoder("utf-8", { fatal: false })

/** A text, or the list of its bytes. */
const TextOrBytes = Schema.Union([Schema.String, Schema.Array(Count)]).pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform((text) => (typeof text === "string" ? text : utf8.decode(Uint8Array.from(text)))),
    encode: SchemaGetter.transform((text): string | ReadonlyArray<number> => text),
  }),
)

const directResponse = {
  status: Status,
  body: opt(TextOrBytes),
  bodyExpression: opt(Cel),
  headers: opt(CelMap),
}
const DirectResponse = conditional(directResponse).annotate({ identifier: "DirectResponse" })
export type DirectResponse = typeof DirectResponse.Type

const Timeout = Schema.Struct({
  requestTimeout: opt(Millis, "From arrival to the head of the reply, retries included."),
  backendRequestTimeout: opt(Millis, "The same for each attempt."),
  idleTimeout: opt(Millis, "How long a reply may pause once it has begun."),
}).annotate({ identifier: "Timeout" })

const Retry = Schema.Struct({
  attempts: opt(Count, "Extra tries after the first; 1 unless set."),
  backoff: opt(Millis),
  codes: Schema.Array(Status).annotateKey({ description: "Reply statuses that count as failures." }),
  precondition: opt(Cel),
  condition: opt(Cel),
}).annotate({ identifier: "Retry" })
export type Retry = typeof Retry.Type

const Delay = conditional({
  duration: Schema.Union([Schema.NonEmptyString, Schema.Finite]).annotateKey({
    description: "A duration, or an expression that gives one.",
  }),
}).annotate({ identifier: "Delay" })
export type Delay = typeof Delay.Type

const rejection = opt(Schema.Struct({ body: opt(TextOrBytes), status: opt(Status), headers: opt(HeaderEdits) }))
const guardRules = Schema.Array(
  exactlyOne(
    Schema.Struct({
      builtin: opt(anyCase(["ssn", "creditCard", "phoneNumber", "email", "caSin", "iban", "ipAddress", "secretKey"])),
      pattern: opt(Schema.NonEmptyString),
      name: opt(Schema.NonEmptyString).annotateKey({
        description: "What stands in the place of what the pattern finds: `<name>`.",
      }),
    }),
    ["builtin", "pattern"],
  ),
)
const asked = {
  failureMode: opt(failureMode).annotateKey({
    description: "What happens to a call whose guard cannot be asked; it is refused unless this says `failOpen`.",
  }),
  url: opt(Schema.NonEmptyString).annotateKey({
    description: "Scheme, host and port to call instead of the service's own address.",
  }),
  policies: opt(CalleePolicies),
}
const guardKinds = {
  regex: opt(Schema.Struct({ action: opt(anyCase(["mask", "reject"])), rules: guardRules })),
  keywords: opt(
    Schema.Struct({
      action: opt(anyCase(["mask", "reject"])),
      words: Schema.NonEmptyArray(Schema.NonEmptyString),
    }),
  ),
  webhook: opt(
    Schema.Struct({
      target: SimpleRef,
      headers: opt(CelMap),
      forwardHeaderMatches: opt(Schema.Array(HeaderMatch)),
      messageFormat: opt(
        anyCase(["guardrail", "raw"]),
        "`raw`: the messages as the client sent them, to be given back changed; `guardrail` unless set.",
      ),
      path: opt(Schema.NonEmptyString, "`/request` or `/response` unless set."),
      minSizeBytes: opt(Count, "Messages that are shorter, as JSON, are not sent."),
      failureMode: opt(failureMode, "`failClosed` unless set; for `raw`, `failOpen` unless set."),
    }),
  ),
  bedrockGuardrails: opt(
    Schema.Struct({
      guardrailIdentifier: Schema.NonEmptyString,
      guardrailVersion: Schema.NonEmptyString,
      region: Schema.NonEmptyString,
      ...asked,
    }),
  ),
  googleModelArmor: opt(
    Schema.Struct({
      templateId: Schema.NonEmptyString,
      projectId: Schema.NonEmptyString,
      location: opt(Schema.String),
      ...asked,
    }),
  ),
  azureContentSafety: opt(
    Schema.Struct({
      endpoint: Schema.NonEmptyString,
      ...asked,
      severityThreshold: opt(Count, "An older way to say `analyzeText.severityThreshold`."),
      analyzeText: opt(
        Schema.Struct({
          severityThreshold: opt(Count),
          apiVersion: opt(Schema.String),
          blocklistNames: opt(Texts),
          haltOnBlocklistHit: opt(Schema.Boolean),
        }),
      ),
      detectJailbreak: opt(Schema.Struct({ apiVersion: opt(Schema.String) })),
    }),
  ),
}
const kindNames = ["regex", "keywords", "webhook", "bedrockGuardrails", "googleModelArmor", "azureContentSafety"]
const RequestGuard = exactlyOne(
  Schema.Struct({
    ...guardKinds,
    promptInjection: opt(
      Schema.Struct({
        threshold: opt(Fraction, "How sure the signs must be, 0 to 1; 0.5 unless set."),
        action: opt(anyCase(["mask", "reject"]), "`reject` unless set."),
      }),
      "Signs that a text tries to take the model over.",
    ),
    openAIModeration: opt(Schema.Struct({ model: opt(Schema.String), ...asked })),
    rejection,
    scope: opt(Schema.NonEmptyArray(anyCase(["systemPrompt", "messages", "toolOutput", "toolInput"]))),
  }),
  [...kindNames, "promptInjection", "openAIModeration"],
)
const ResponseGuard = exactlyOne(Schema.Struct({ ...guardKinds, rejection }), kindNames)
const promptGuardShape = Schema.Struct({
  streaming: opt(anyCase(["Disabled", "Enabled"])),
  request: opt(Schema.Array(RequestGuard)),
  response: opt(Schema.Array(ResponseGuard)),
}).annotate({ identifier: "PromptGuard" })
export interface PromptGuardSchema extends Named<typeof promptGuardShape> {}
export const PromptGuard: PromptGuardSchema = promptGuardShape
export type PromptGuard = typeof PromptGuard.Type

export const PromptCaching = Schema.Struct({
  cacheSystem: opt(Schema.Boolean),
  cacheMessages: opt(Schema.Boolean),
  cacheTools: opt(Schema.Boolean),
  minTokens: opt(Count),
  cacheMessageOffset: opt(Count),
}).annotate({ identifier: "PromptCaching" })
export type PromptCaching = typeof PromptCaching.Type

export const JsonMap = Schema.Record(Schema.String, Schema.Json)
const Prompts = Schema.Array(Schema.Struct({ role: Schema.NonEmptyString, content: Schema.String }))
const modelRoutes = anyCase(modelRouteTypes)
const responseCacheShape = Schema.Struct({
  key: opt(Cel, "Who shares answers; each caller has its own unless set."),
  ttl: opt(Millis, "10 minutes unless set."),
  store: opt(anyCase(["memory", "redis"]), "`memory` unless set; `redis` is the one that `config.redis` names."),
  maxEntryBytes: opt(Count, "1048576 unless set."),
  cadence: opt(anyCase(["instant", "recorded"]), "Whether a stream comes again at once (unless set) or as it came."),
  semantic: opt(
    Schema.Struct({
      ...calleeFields,
      model: req(Schema.NonEmptyString, "The model of embeddings."),
      path: opt(Schema.NonEmptyString, "`/v1/embeddings` unless set."),
      threshold: opt(
        Schema.Finite.check(
          Schema.isBetween({ minimum: 0, maximum: 1 }, { message: "expected a number between 0 and 1" }),
        ),
        "The least cosine of what counts as the same; 0.95 unless set.",
      ),
      maxEntries: opt(Count, "1000 unless set."),
      timeout: opt(Millis, "2 seconds unless set."),
    }),
  ),
}).annotate({ identifier: "ResponseCache" })
export interface ResponseCacheSchema extends Named<typeof responseCacheShape> {}
export const ResponseCache: ResponseCacheSchema = responseCacheShape
export type ResponseCache = typeof ResponseCache.Type

const aiShape = Schema.Struct({
  promptGuard: opt(PromptGuard),
  defaults: opt(JsonMap),
  overrides: opt(JsonMap),
  transformations: opt(CelMap),
  finalTransformations: opt(CelMap),
  prompts: opt(Schema.Struct({ prepend: opt(Prompts), append: opt(Prompts) })),
  modelAliases: opt(TextMap),
  promptCaching: opt(PromptCaching),
  budgets: opt(Budgets),
  responseCache: opt(ResponseCache),
  routes: opt(Schema.Record(Schema.String, modelRoutes)),
  models: opt(
    Schema.Array(
      Schema.Struct({
        id: Schema.NonEmptyString,
        ownedBy: opt(Schema.NonEmptyString),
        created: opt(Count, "Seconds since 1970."),
      }),
    ),
    "What is told to clients that ask which models there are.",
  ),
}).annotate({ identifier: "AiPolicy" })
export interface AiSchema extends Named<typeof aiShape> {}
export const Ai: AiSchema = aiShape
export type Ai = typeof Ai.Type

export const Health = Schema.Struct({
  unhealthyExpression: opt(Cel),
  eviction: opt(
    Schema.Struct({
      duration: opt(Millis),
      restoreHealth: opt(Fraction),
      consecutiveFailures: opt(Count),
      healthThreshold: opt(Fraction),
    }),
  ),
  active: opt(
    Schema.Struct({
      path: opt(Schema.NonEmptyString, "`/health` unless set."),
      interval: opt(Millis, "10s unless set."),
      timeout: opt(Millis, "3s unless set."),
      unhealthyThreshold: opt(Count, "Bad answers in a row that put it aside; 3 unless set."),
      healthyThreshold: opt(Count, "Good answers in a row that bring it back; 1 unless set."),
      expectedStatuses: opt(Schema.Array(Status), "Any 2xx unless set."),
    }),
    "Asks providers of models how they are.",
  ),
}).annotate({ identifier: "Health" })
export type Health = typeof Health.Type

const SessionAffinity = Schema.Struct({ source: Cel }).annotate({ identifier: "SessionAffinity" })

const InferenceRouting = Schema.Struct({
  endpointPicker: SimpleRef,
  destinationMode: opt(anyCase(["validated", "passthrough"])),
}).annotate({ identifier: "InferenceRouting" })
export type InferenceRouting = typeof InferenceRouting.Type

const mcpGuardrailsShape = Schema.Struct({
  processors: Schema.Array(
    Schema.Struct({
      kind: opt(
        anyCase(["remote", "expression"], { cel: "expression" }),
        "A service that is asked, or expressions that judge by themselves.",
      ),
      ...calleeFields,
      methods: Schema.Record(Schema.String, anyCase(["off", "request", "response", "full"])),
      failureMode: opt(failureMode),
      when: opt(Cel, "Which messages are meant; all of them unless set."),
      reject: opt(Schema.NonEmptyString, "They are rejected, with these words."),
      transform: opt(Cel, "What takes the place of the parameters or the result: a map."),
      metadata: opt(CelMap),
      requestHeaders: opt(Schema.Struct({ allowed: opt(Texts), disallowed: opt(Texts) })),
    }),
  ),
}).annotate({ identifier: "McpGuardrails" })
export interface McpGuardrailsSchema extends Named<typeof mcpGuardrailsShape> {}
export const McpGuardrails: McpGuardrailsSchema = mcpGuardrailsShape
export type McpGuardrails = typeof McpGuardrails.Type

const a2aBinding = anyCase(["JSONRPC", "HTTP+JSON", "GRPC"], { REST: "HTTP+JSON" })

const a2aInterface = Schema.Struct({
  binding: req(a2aBinding, "How it is spoken to."),
  version: opt(anyCase(["1.0", "0.3"]), "1.0 unless set."),
  path: opt(Schema.String, "In front of the protocol's own paths; the root unless set."),
  target: opt(Target, "`host:port`, where it is not at the backend itself."),
  tenant: opt(Schema.NonEmptyString, "Said in every call."),
})

const a2aLockShape = Schema.Struct({
  mode: opt(
    anyCase(["off", "observe", "tofu", "locked"]),
    "`observe` tells of changes, `tofu` trusts what the card says first and judges what changes, `locked` shows nothing but what was approved; `tofu` unless set.",
  ),
  file: opt(FileName, "Where what was approved is written down; the gateway's database unless set."),
  recheck: opt(Millis, "How often the card is looked at while its agent is used; 30s unless set."),
}).annotate({ identifier: "A2aCardLock", description: "How far the card of an agent is taken on trust." })
export interface A2aCardLockSchema extends Named<typeof a2aLockShape> {}
const A2aCardLock: A2aCardLockSchema = a2aLockShape

const MessageLimits = Schema.NonEmptyArray(Bucket)
const MessageBudgets = Schema.NonEmptyArray(
  Schema.Struct({
    name: Schema.NonEmptyString,
    key: opt(Cel, "Whoever has the same value shares it; all together unless set."),
    messages: req(Count, "How many may be sent in one window."),
    window: req(Millis, "Windows begin at multiples of it since 1970: `1h`, `24h`."),
    store: opt(anyCase(["database", "redis"]), "Where it is kept: `config.database` unless set, or `config.redis`."),
  }).annotate({ identifier: "MessageBudget" }),
)

const A2a = Schema.Struct({
  guardrails: opt(
    Schema.Struct({
      request: opt(Schema.Array(RequestGuard)),
      response: opt(Schema.Array(ResponseGuard)),
    }).annotate({ identifier: "MessageGuard" }),
    "Look at the words, data and files of messages, and of what the agent makes.",
  ),
  foreignTasks: opt(Cel, "When true, tasks that another caller began exist as well; they do not unless set."),
  rateLimits: opt(MessageLimits, "How many messages may be sent in a time; each limit is this agent's alone."),
  budgets: opt(MessageBudgets, "How many messages may be sent in a window; kept where it outlives the gateway."),
  toolLock: opt(A2aCardLock),
  card: opt(
    Schema.Struct({
      verify: opt(
        Schema.Struct({
          mode: opt(anyCase(["ifPresent", "required"]), "required unless set."),
          jwks: FileInlineOrRemote,
        }),
        "Which signatures on the agent's card are believed.",
      ),
      sign: opt(
        Schema.Struct({
          key: req(FileOrInline, "A private key: PEM (PKCS #8), or a JWK."),
          keyId: opt(Schema.NonEmptyString, "The thumbprint of the key unless set."),
        }),
        "Signs the cards that clients get; the key is published at `/.well-known/jwks.json` below the agent's root.",
      ),
    }),
  ),
  bridge: opt(
    Schema.Struct({
      card: opt(Schema.NonEmptyString, "Path of the agent's card; `/.well-known/agent-card.json` unless set."),
      interfaces: opt(Schema.Array(a2aInterface), "How the agent is spoken to; what its card says unless set."),
      offers: opt(Schema.NonEmptyArray(a2aBinding), "Bindings that clients are shown; all that lead here unless set."),
    }),
    "Lets clients speak any binding and version, whatever the agent speaks.",
  ),
  publish: opt(
    Schema.Struct({
      name: req(Schema.NonEmptyString, "What the agent is called."),
      description: opt(Schema.NonEmptyString),
      version: opt(Schema.NonEmptyString, "1.0.0 unless set."),
      model: opt(Schema.NonEmptyString, "The model that is asked; the backend's own unless set."),
      instructions: opt(Schema.NonEmptyString, "What the model is told before anything else."),
      skills: opt(
        Schema.NonEmptyArray(
          Schema.Struct({
            id: Schema.NonEmptyString,
            name: opt(Schema.NonEmptyString),
            description: opt(Schema.NonEmptyString),
            tags: opt(Schema.Array(Schema.NonEmptyString)),
            examples: opt(Schema.Array(Schema.NonEmptyString)),
          }),
        ),
        "What a model is said to be good at; the skills of MCP servers are their tools.",
      ),
    }),
    "Makes an agent of the models or MCP servers of the backend.",
  ),
}).annotate({ identifier: "A2a" })

/** Those that run before the route is chosen. */
export const gatewayPolicies = {
  ipAccessControl: opt(IpAccessControl),
  oidc: opt(Oidc),
  jwtAuth: opt(JwtAuth),
  authorization: opt(Authorization),
  extAuthz: opt(ExtAuthz),
  extProc: opt(ExtProc),
  cors: opt(Cors),
  transformations: opt(ConditionalTransformations),
  basicAuth: opt(BasicAuth),
  apiKey: opt(ApiKey),
}
const gatewayPoliciesShape = Schema.Struct(gatewayPolicies).annotate({ identifier: "GatewayPolicies" })
export interface GatewayPoliciesSchema extends Named<typeof gatewayPoliciesShape> {}
export const GatewayPolicies: GatewayPoliciesSchema = gatewayPoliciesShape
export type GatewayPolicies = typeof GatewayPolicies.Type

const onBackends = {
  backendTLS: opt(BackendTls),
  backendAuth: opt(BackendAuth),
  backendTunnel: opt(BackendTunnel),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
  health: opt(Health),
  sessionAffinity: opt(SessionAffinity),
  a2a: opt(A2a),
  mcpAuthorization: opt(Authorization),
  mcpGuardrails: opt(McpGuardrails),
}

const routePoliciesShape = Schema.Struct({
  ...gatewayPolicies,
  mcpAuthentication: opt(McpAuthentication),
  localRateLimit: opt(LocalRateLimit),
  remoteRateLimit: opt(RemoteRateLimit),
  concurrencyLimit: opt(ConcurrencyLimit),
  bodyLimit: opt(BodyLimit),
  csrf: opt(Csrf),
  buffer: opt(Buffer),
  timeout: opt(Timeout),
  retry: opt(Retry),
  delay: opt(Delay),
  directResponse: opt(DirectResponse),
  requestRedirect: opt(RequestRedirect),
  requestHeaderModifier: opt(HeaderEdits),
  responseHeaderModifier: opt(HeaderEdits),
  requestMirror: opt(RequestMirror),
  urlRewrite: opt(UrlRewrite),
  ai: opt(Ai),
  ...onBackends,
  inferenceRouting: opt(InferenceRouting),
}).annotate({
  identifier: "RoutePolicies",
  description: "Policies of a route; those of backends count for every backend of it.",
})
export interface RoutePoliciesSchema extends Named<typeof routePoliciesShape> {}
export const RoutePolicies: RoutePoliciesSchema = routePoliciesShape
export type RoutePolicies = typeof RoutePolicies.Type

const backendPoliciesShape = Schema.Struct({
  ...onBackends,
  inferenceRouting: opt(InferenceRouting),
  requestHeaderModifier: opt(HeaderEdits),
  responseHeaderModifier: opt(HeaderEdits),
  requestRedirect: opt(RequestRedirect),
  requestMirror: opt(RequestMirror),
  transformations: opt(Schema.Struct(Transformations)),
  authorization: opt(Authorization),
  extAuthz: opt(plainExtAuthz),
  ai: opt(Ai),
}).annotate({ identifier: "BackendPolicies", description: "Policies of each call to one backend." })
export interface BackendPoliciesSchema extends Named<typeof backendPoliciesShape> {}
export const BackendPolicies: BackendPoliciesSchema = backendPoliciesShape
export type BackendPolicies = typeof BackendPolicies.Type

export const TcpRoutePolicies = Schema.Struct({ backendTLS: opt(BackendTls) }).annotate({
  identifier: "TcpRoutePolicies",
})
export const TcpBackendPolicies = Schema.Struct({
  backendTLS: opt(BackendTls),
  backendTunnel: opt(BackendTunnel),
}).annotate({
  identifier: "TcpBackendPolicies",
})

const LogFields = Schema.Struct({ add: opt(CelMap), remove: opt(Texts) })
const accessLogShape = Schema.Struct({
  filter: opt(Cel),
  add: opt(CelMap),
  remove: opt(Texts),
  fields: opt(LogFields, "An older place of `add` and `remove`."),
  otlp: opt(
    Schema.Struct({
      ...calleeFields,
      filter: opt(Cel),
      fields: opt(LogFields),
      protocol: opt(otlpProtocol),
      path: opt(Schema.NonEmptyString),
    }),
  ),
  database: opt(Schema.Struct({ llm: opt(anyCase(["metadata", "full"])), add: opt(CelMap) })),
}).annotate({ identifier: "AccessLog" })
export interface AccessLogSchema extends Named<typeof accessLogShape> {}
export const AccessLog: AccessLogSchema = accessLogShape
export type AccessLog = typeof AccessLog.Type

const Sampling = Schema.Union([Schema.Boolean, Schema.Finite, Schema.NonEmptyString])
const tracingShape = Schema.Struct({
  ...calleeFields,
  attributes: opt(CelMap),
  resources: opt(CelMap),
  remove: opt(Texts),
  randomSampling: opt(Sampling),
  clientSampling: opt(Sampling),
  filter: opt(Cel),
  path: opt(Schema.NonEmptyString),
  protocol: opt(otlpProtocol),
}).annotate({ identifier: "Tracing" })
export interface TracingSchema extends Named<typeof tracingShape> {}
export const Tracing: TracingSchema = tracingShape
export type Tracing = typeof Tracing.Type

/** A protocol name, or the list of its bytes. */
const Alpn = Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Count)]).pipe(
  Schema.decodeTo(Schema.NonEmptyString, {
    decode: SchemaGetter.transform((name) => (typeof name === "string" ? name : utf8.decode(Uint8Array.from(name)))),
    encode: SchemaGetter.transform((name): string | readonly [number, ...Array<number>] => name),
  }),
)

const ProxyProtocol = Schema.Struct({
  version: opt(anyCase(["v1", "v2", "all"]), "v2 unless set."),
  mode: opt(anyCase(["strict", "optional"]), "`optional` also serves connections without the header."),
}).annotate({ identifier: "ProxyProtocol" })

const frontendPoliciesShape = oneSpelling(
  Schema.Struct({
    http: opt(
      Schema.Struct({
        maxBufferSize: opt(Count),
        http1MaxHeaders: opt(Count),
        http1IdleTimeout: opt(Millis),
        http1HeaderCase: opt(anyCase(["lowercase", "preserve"])),
        http2WindowSize: opt(Count),
        http2ConnectionWindowSize: opt(Count),
        http2FrameSize: opt(Count),
        http2MaxHeaderSize: opt(Count),
        http2KeepaliveInterval: opt(Millis),
        http2KeepaliveTimeout: opt(Millis),
        maxConnectionDuration: opt(Millis),
      }).annotate({ identifier: "FrontendHttp" }),
    ),
    tls: opt(
      Schema.Struct({ handshakeTimeout: opt(Millis), alpn: opt(Schema.Array(Alpn)), ...overrides }).annotate({
        identifier: "FrontendTls",
      }),
    ),
    tcp: opt(Schema.Struct({ keepalives: Keepalive }).annotate({ identifier: "FrontendTcp" })),
    networkAuthorization: opt(Authorization),
    networkExtAuthz: opt(plainExtAuthz),
    connectionLimit: opt(ConnectionLimit),
    proxyProtocol: opt(ProxyProtocol),
    proxy: opt(ProxyProtocol),
    connect: opt(Schema.Struct({ mode: anyCase(["deny", "route", "tunnel"]) })),
    accessLog: opt(AccessLog),
    logging: opt(AccessLog),
    tracing: opt(Tracing),
  }),
  [
    ["proxyProtocol", "proxy"],
    ["accessLog", "logging"],
  ],
).annotate({ identifier: "FrontendPolicies", description: "Policies of connections, and of what is recorded." })
export interface FrontendPoliciesSchema extends Named<typeof frontendPoliciesShape> {}
export const FrontendPolicies: FrontendPoliciesSchema = frontendPoliciesShape
export type FrontendPolicies = typeof FrontendPolicies.Type
