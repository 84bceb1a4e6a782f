/** Policies of every kind that is a step, as an operator may write them, sensible or not. */
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { BackendKey } from "../../../ir/Key.ts"
import type { Callee } from "../../../ir/policy/Callee.ts"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import { cel } from "../../../test/stages/5-policy/computing.ts"
import { fieldName, fieldValue, issuer, keys, text } from "./answers.ts"

const header = (name: string, prefix?: string): CredentialLocation => ({
  _tag: "Header",
  name: name as never,
  ...(prefix === undefined ? {} : { prefix }),
})
const usual = header("authorization", "Bearer ")
const location = fc.constantFrom<CredentialLocation>(
  usual,
  header("x-key"),
  { _tag: "Query", name: "key" },
  { _tag: "Cookie", name: "a" },
  { _tag: "Computed", expression: cel('request.headers["x-a"] + request.path') },
)
const writable = fc.constantFrom<CredentialLocation>(
  usual,
  header("x-key"),
  { _tag: "Query", name: "key" },
  { _tag: "Cookie", name: "a" },
)
const mode = fc.constantFrom("strict" as const, "optional" as const, "permissive" as const)
export const callee: Callee = { backend: { _tag: "Backend", backend: BackendKey.make("b") }, policies: [] }
const jwksIn = fc.constantFrom(
  { _tag: "Inline" as const, text: keys },
  { _tag: "Remote" as const, url: `${issuer}/keys` },
)
export const expression = fc.constantFrom(
  ...[
    'request.headers["x-a"]',
    "request.path",
    "1 / 0",
    "jwt.sub",
    "json(request.body)",
    "request.body",
    "request.headers.raw()",
    "string(request.headers)",
    "variables()",
    '"a\\r\\nb"',
    "{'x-b': request.path, 'x-c': 1}",
    "null",
    "2.5",
    "uint(7)",
    "duration('1ms')",
    "[request.method]",
    "response.code",
    "apiKey",
    "request.method ==",
  ].map(cel),
)
export const condition = fc.constantFrom(
  ...["true", "false", "jwt.sub == 'ann'", "1 / 0 == 1", "has(jwt.scope)"].map(cel),
)
export const named = fc.array(fc.record({ name: fc.constantFrom("a", "x-b", ":status", ""), expression }), {
  maxLength: 2,
})
const computedHeaders = fc.array(
  fc.record({ name: fc.constantFrom("x-b", ":path", ":authority", ":method", ":status", "host"), expression }),
  { maxLength: 2 },
)
const edits = fc.array(
  fc.record({ name: fc.constantFrom("x-a", ":path", "host", "x\nb", "") as fc.Arbitrary<never>, value: fieldValue }),
  { maxLength: 2 },
)
export const headerEdits = fc.record({
  add: edits,
  set: edits,
  remove: fc.array(fieldName as fc.Arbitrary<never>, { maxLength: 2 }),
})
const secretKey = Redacted.make("0".repeat(64))
const bodyMode = fc.constantFrom(
  "none" as const,
  "buffered" as const,
  "bufferedPartial" as const,
  "fullDuplexStreamed" as const,
)
const headMode = fc.constantFrom("send" as const, "skip" as const)
export const failureMode = fc.constantFrom("failClosed" as const, "failOpen" as const)
const transformation = fc.record(
  {
    metadata: named,
    replace: expression,
    add: computedHeaders,
    set: computedHeaders,
    remove: fc.constant([]),
    body: expression,
  },
  { requiredKeys: ["metadata", "add", "set", "remove"] },
)
const pathReplacement = fc.constantFrom(
  { _tag: "Full" as const, path: "/x?y" },
  { _tag: "Prefix" as const, prefix: "/p" },
  { _tag: "Full" as const, path: "no slash" },
)
const authorityReplacement = fc.constantFrom(
  { _tag: "Full" as const, authority: "a:99999" },
  { _tag: "Host" as const, host: "b b" },
  { _tag: "Port" as const, port: 1 as never },
)
const cache = { maxEntries: 8, defaultLifetimeMillis: 1000 }
const endpoint = {
  callee: { backend: callee.backend, policies: [] },
  path: "/token?a",
  clientAuth: { _tag: "ClientSecretBasic" as const, clientId: "c", clientSecret: Redacted.make("s") },
}
const subjectToken = location.map((source) => ({ source, tokenType: "urn:x" }))
const rateLimit = { maxTokens: 2, tokensPerFill: 1, fillIntervalMillis: 1000 }

export const shapes = {
  Cors: fc.record({
    _tag: fc.constant("Cors"),
    allowCredentials: fc.boolean(),
    allowHeaders: fc.constantFrom(["*"], ["x-a"]),
    allowMethods: fc.constantFrom(["*"], ["GET"]),
    allowOrigins: fc.constantFrom(["*"], ["https://*.example"]),
    exposeHeaders: fc.constantFrom([], ["*"]),
  }),
  Oidc: fc.record({
    _tag: fc.constant("Oidc"),
    id: fc.constantFrom("route/a", "route/b"),
    issuer: fc.constant(issuer),
    provider: fc.oneof(
      jwksIn.map((jwks) => ({
        _tag: "Explicit",
        authorizationEndpoint: `${issuer}/a`,
        tokenEndpoint: `${issuer}/t`,
        tokenEndpointAuth: "clientSecretPost",
        jwks,
      })),
      fc.constant({ _tag: "Discovered" }),
      text.filter((one) => one !== "").map((one) => ({ _tag: "Discovered", document: { _tag: "Inline", text: one } })),
    ),
    clientId: fc.constant("c"),
    clientSecret: fc.constant(Redacted.make("s")),
    redirectUri: fc.constant("https://shop.example/callback"),
    scopes: fc.constant(["email"]),
    cookieKey: fc.constant(secretKey),
    logout: fc.constant({ path: "/logout", backChannelPath: "/ended" }),
  }),
  JwtAuth: fc.record({
    _tag: fc.constant("JwtAuth"),
    mode,
    location,
    providers: fc.array(
      fc.record({
        issuer: fc.constant(issuer),
        audiences: fc.constantFrom([], ["a"]),
        jwks: jwksIn,
        requiredClaims: fc.constantFrom([], ["exp"], ["nothing"]),
      }),
      { maxLength: 2 },
    ),
  }),
  McpAuthentication: fc.record(
    {
      _tag: fc.constant("McpAuthentication"),
      issuer: fc.constantFrom(issuer, "not a URL"),
      audiences: fc.constantFrom([], ["a"]),
      provider: fc.constantFrom("auth0", "keycloak", "okta", "descope", "authentik", "entra"),
      resourceMetadata: fc.constantFrom<object>({}, { resource: 7, x: null }, { resource: "https://r.example/y" }),
      jwks: jwksIn,
      mode,
      location,
      requiredClaims: fc.constant([]),
      scopes: fc.constantFrom([], ["read"]),
      stepUp: fc.array(fc.record({ condition, scopes: fc.constant(["write"]) }), { maxLength: 1 }),
      clientId: fc.constant("c"),
      clientSecret: fc.constant(Redacted.make("s")),
      relay: fc.constant({ key: secretKey, redirectUris: ["https://ok.example"] }),
    },
    {
      requiredKeys: [
        "_tag",
        "issuer",
        "audiences",
        "resourceMetadata",
        "mode",
        "location",
        "requiredClaims",
        "scopes",
        "stepUp",
      ],
    },
  ),
  BasicAuth: fc.record({
    _tag: fc.constant("BasicAuth"),
    htpasswd: fc.constantFrom("", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n:x\nbad").map((one) => Redacted.make(one)),
    realm: fc.constantFrom("r", 'a"\\\n'),
    mode: fc.constantFrom("strict", "optional"),
    location,
  }),
  ApiKey: fc.record({
    _tag: fc.constant("ApiKey"),
    keys: fc.constantFrom([], [{ value: { _tag: "Plain", key: Redacted.make("key") }, metadata: [1] }]),
    mode,
    location,
  }),
  ExtAuthz: fc.record(
    {
      _tag: fc.constant("ExtAuthz"),
      callee: fc.constant(callee),
      protocol: fc.oneof(
        fc.record(
          { _tag: fc.constant("Grpc"), context: fc.constant({}), metadata: named },
          { requiredKeys: ["_tag", "context"] },
        ),
        fc.record(
          {
            _tag: fc.constant("Http"),
            path: expression,
            redirect: expression,
            body: expression,
            includeResponseHeaders: fc.constantFrom([], ["x-a", "set-cookie"]),
            addRequestHeaders: named.map((all) => all.filter(({ name }) => name !== "")),
            metadata: named,
          },
          { requiredKeys: ["_tag", "includeResponseHeaders", "addRequestHeaders", "metadata"] },
        ),
      ),
      failure: fc.constantFrom({ _tag: "Allow" }, { _tag: "Deny", status: 403 }),
      includeRequestHeaders: fc.constantFrom([], ["x-a", "cookie"]),
      includeRequestBody: fc.constantFrom(
        { maxBytes: 4, allowPartial: true, packAsBytes: true },
        { maxBytes: 0, allowPartial: false, packAsBytes: false },
      ),
      cache: fc.record({
        key: fc.array(expression, { maxLength: 2 }),
        lifetime: fc.oneof(
          fc.constant({ _tag: "Fixed", millis: 9 }),
          expression.map((one) => ({ _tag: "Computed", expression: one })),
        ),
        maxEntries: fc.nat(2),
      }),
    },
    { requiredKeys: ["_tag", "callee", "protocol", "failure", "includeRequestHeaders"] },
  ),
  Authorization: fc.array(
    fc.record(
      {
        _tag: fc.constant("Authorization"),
        rules: fc.array(
          fc.record({
            effect: fc.constantFrom("allow", "deny", "require"),
            expression: fc.oneof(condition, expression),
          }),
          { maxLength: 3 },
        ),
        cedar: fc.record(
          {
            policies: fc.constant("permit(principal, action, resource);"),
            entities: fc.constant([]),
            principal: fc.record({ type: fc.constant("User"), id: expression, attributes: named, parents: expression }),
            action: expression,
            resource: fc.record({ type: fc.constant("Thing"), id: expression, attributes: named }),
            context: named,
          },
          { requiredKeys: ["policies", "entities", "context"] },
        ),
      },
      { requiredKeys: ["_tag", "rules"] },
    ),
    { maxLength: 2 },
  ),
  ExtProc: fc.record({
    _tag: fc.constant("ExtProc"),
    callee: fc.constant(callee),
    failureMode,
    metadataContext: fc.record({ "agentgateway.dev.grpc_initial_metadata": named, other: named }),
    requestAttributes: named,
    responseAttributes: named,
    requestBodyMode: bodyMode,
    responseBodyMode: bodyMode,
    requestHeaderMode: headMode,
    responseHeaderMode: headMode,
    requestTrailerMode: headMode,
    responseTrailerMode: headMode,
    allowModeOverride: fc.boolean(),
  }),
  IpAccessControl: fc.array(
    fc.record(
      {
        _tag: fc.constant("IpAccessControl"),
        allow: fc.constantFrom([], ["127.0.0.0/8"], ["10.0.0.0/8", "::1/128"], ["no range"]),
        deny: fc.constantFrom([], ["127.0.0.1/32"], ["::/0"]),
        trustedHops: fc.nat(3),
        skipsPrivate: fc.boolean(),
        isWholeChain: fc.boolean(),
        chainLengthMax: fc.nat(4),
      },
      { requiredKeys: ["_tag", "allow", "deny", "skipsPrivate", "isWholeChain", "chainLengthMax"] },
    ),
    { maxLength: 2 },
  ),
  Transformations: fc.record({
    _tag: fc.constant("Transformations"),
    request: transformation,
    response: transformation,
  }),
  Timeout: fc.record({ _tag: fc.constant("Timeout"), requestMillis: fc.nat(10) }),
  ResponseHeaderModifier: headerEdits.map((one) => ({ _tag: "ResponseHeaderModifier", ...one })),
  BodyLimit: fc.array(
    fc.record({ _tag: fc.constant("BodyLimit"), requestBytesMax: fc.nat(9), responseBytesMax: fc.nat(9) }),
    { maxLength: 2 },
  ),
  Retry: fc.record({
    _tag: fc.constant("Retry"),
    attempts: fc.nat(2),
    codes: fc.constant([503]),
    precondition: fc.oneof(condition, expression),
    condition,
  }),
  LocalRateLimit: fc.record({
    _tag: fc.constant("LocalRateLimit"),
    limits: fc.array(
      fc.record(
        { ...constants(rateLimit), type: fc.constantFrom("requests", "tokens"), key: expression },
        { requiredKeys: ["maxTokens", "tokensPerFill", "fillIntervalMillis", "type"] },
      ),
      { maxLength: 3 },
    ),
  }),
  RemoteRateLimit: fc.record({
    _tag: fc.constant("RemoteRateLimit"),
    callee: fc.constant(callee),
    domain: fc.constant("d"),
    descriptors: fc.array(
      fc.record(
        { entries: named, type: fc.constantFrom("requests", "tokens"), cost: expression, limitOverride: expression },
        { requiredKeys: ["entries", "type"] },
      ),
      { maxLength: 2 },
    ),
    failureMode,
  }),
  ConcurrencyLimit: fc.array(
    fc.record({
      _tag: fc.constant("ConcurrencyLimit"),
      limits: fc.array(
        fc.record(
          {
            maxConcurrent: fc.integer({ min: 1, max: 2 }),
            key: expression,
            condition,
            status: fc.constantFrom(429, 503),
            retryAfterMillis: fc.nat(9),
          },
          { requiredKeys: ["maxConcurrent", "status", "retryAfterMillis"] },
        ),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
  Buffer: fc.record({
    _tag: fc.constant("Buffer"),
    request: fc.record({ maxBytes: fc.nat(9), failureMode }),
    response: fc.record({ maxBytes: fc.nat(9), failureMode }),
  }),
  Csrf: fc.record({
    _tag: fc.constant("Csrf"),
    additionalOrigins: fc.constantFrom([], ["https://evil.example", "not one"]),
  }),
  RequestHeaderModifier: headerEdits.map((one) => ({ _tag: "RequestHeaderModifier", ...one })),
  UrlRewrite: fc.record({
    _tag: fc.constant("UrlRewrite"),
    authority: fc.oneof(authorityReplacement, fc.constantFrom({ _tag: "Auto" }, { _tag: "None" })),
    path: pathReplacement,
  }),
  RequestRedirect: fc.record({
    _tag: fc.constant("RequestRedirect"),
    scheme: fc.constantFrom("https", "x y"),
    authority: authorityReplacement,
    path: pathReplacement,
    status: fc.constantFrom(301, 302, 99),
  }),
  Delay: fc.record({
    _tag: fc.constant("Delay"),
    duration: fc.constantFrom(
      { _tag: "Fixed", millis: 0 },
      { _tag: "Computed", expression: cel("1 / 0") },
      { _tag: "Computed", expression: cel("-5") },
    ),
  }),
  DirectResponse: fc.record(
    {
      _tag: fc.constant("DirectResponse"),
      status: fc.constantFrom(200, 204, 304, 99, 101),
      body: fc.oneof(
        fc.constant({ _tag: "Text", text: "t" }),
        expression.map((one) => ({ _tag: "Computed", expression: one })),
      ),
      headers: computedHeaders,
    },
    { requiredKeys: ["_tag", "status", "headers"] },
  ),
  BackendAuth: fc.record(
    {
      _tag: fc.constant("BackendAuth"),
      auth: fc.oneof(
        writable.map((at) => ({ _tag: "Passthrough", location: at })),
        fc
          .tuple(writable, fieldValue)
          .map(([at, value]) => ({ _tag: "Key", value: Redacted.make(value), location: at })),
        fc.constantFrom({ _tag: "Gcp", token: { _tag: "AccessToken" } }, { _tag: "Gcp", token: { _tag: "IdToken" } }),
        fc.constantFrom<object>(
          { _tag: "Aws", region: "eu-west-1" },
          {
            _tag: "Aws",
            serviceName: "s3",
            assumeRole: {
              roleArn: "r",
              sessionName: { _tag: "Computed", expression: cel('request.headers["x-a"]') },
              tags: [],
            },
          },
        ),
        fc.constant({ _tag: "Azure", source: { _tag: "Implicit" } }),
        fc.constant({ _tag: "Copilot" }),
        writable.map((at) => ({
          _tag: "JwtSign",
          signingKeyPem: Redacted.make("p"),
          algorithm: "ES256",
          claims: {},
          lifetimeMillis: 1000,
          location: at,
        })),
        fc.record(
          {
            _tag: fc.constant("OauthTokenExchange"),
            endpoint: fc.constant(endpoint),
            grantType: fc.constantFrom("tokenExchange", "jwtBearer"),
            subjectToken,
            actorToken: subjectToken.map((one) => ({ ...one, enforceMayAct: true })),
            audiences: fc.constant(["a"]),
            scopes: fc.constant(["s"]),
            resources: fc.constant([]),
            requestedTokenType: fc.constant("x"),
            additionalParams: named,
            location: writable,
            cache: fc.constant(cache),
          },
          {
            requiredKeys: [
              "_tag",
              "endpoint",
              "grantType",
              "subjectToken",
              "audiences",
              "scopes",
              "resources",
              "additionalParams",
              "location",
              "cache",
            ],
          },
        ),
        fc.record({
          _tag: fc.constant("CrossAppAccess"),
          identityProvider: fc.constant(endpoint),
          resourceAuthorizationServer: fc.constant(endpoint),
          audience: fc.constant("a"),
          resources: fc.constant([]),
          scopes: fc.constant([]),
          subjectToken,
          location: writable,
          cache: fc.constant(cache),
        }),
        writable.map((at) => ({
          _tag: "OauthClientCredentials",
          endpoint,
          audiences: [],
          scopes: [],
          resources: [],
          location: at,
          cache,
        })),
      ),
      credentials: fc.array(fc.record({ location: writable, value: fieldValue.map((one) => Redacted.make(one)) }), {
        maxLength: 1,
      }),
    },
    { requiredKeys: ["_tag", "credentials"] },
  ),
} as const

function constants<A extends object>(all: A): { readonly [K in keyof A]: fc.Arbitrary<A[K]> } {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, fc.constant(value)])) as never
}
