/** References to backends, and the services that the gateway itself calls. */
import type { Named } from "../../../ir/Named.ts"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { HostTarget } from "../../../ir/Backend.ts"
import type { Expression } from "../../../ir/Expression.ts"
import { type Parsed, refuse } from "../Complaint.ts"
import * as TargetText from "../target.ts"
import {
  anyCase,
  Cel,
  CelMap,
  Count,
  exactlyOne,
  FileOrInline,
  Millis,
  opt,
  parsed,
  Port,
  req,
  Target,
  TextMap,
  Texts,
} from "./grammar.ts"
import { BackendTls } from "./tls.ts"

const ServiceName = Schema.Union([
  Schema.NonEmptyString,
  Schema.Struct({ namespace: Schema.NonEmptyString, hostname: Schema.NonEmptyString }),
]).pipe(
  Schema.decodeTo(Schema.NonEmptyString, {
    decode: SchemaGetter.transform((name) => (typeof name === "string" ? name : `${name.namespace}/${name.hostname}`)),
    encode: SchemaGetter.transform((name): string | { namespace: string; hostname: string } => name),
  }),
)

export const ServiceRef = Schema.Struct({
  name: req(ServiceName, "`namespace/hostname` of an entry of `services`."),
  port: Port,
})

const simpleRefShape = exactlyOne(
  Schema.Struct({
    service: opt(ServiceRef),
    host: opt(Target, "`host:port` or `unix:/path`."),
    backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
  }),
  ["service", "host", "backend"],
).annotate({ identifier: "SimpleRef" })
export interface SimpleRefSchema extends Named<typeof simpleRefShape> {}
export const SimpleRef: SimpleRefSchema = simpleRefShape
export type SimpleRef = typeof SimpleRef.Type

/** A target, or a URL that says whether TLS is spoken. */
export const HostOrUrl = parsed(
  Schema.Struct({ target: HostTarget, tls: Schema.Boolean }),
  (text): Parsed<{ readonly target: HostTarget; readonly tls: boolean }> => {
    if (!text.includes("://")) return Result.map(TargetText.parse(text), (target) => ({ target, tls: false }))
    const url = URL.parse(text)
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
      return refuse(`${JSON.stringify(text)} is not an http:// or https:// URL`)
    }
    if ((url.pathname !== "/" && url.pathname !== "") || url.search !== "" || url.hash !== "") {
      return refuse("backend URL paths are not supported", "Leave out everything after the host and port.")
    }
    const tls = url.protocol === "https:"
    const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port)
    const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
    return Result.succeed({ target: { _tag: "Host", host, port }, tls })
  },
  ({ target, tls }) => (tls ? `https://${TargetText.format(target)}` : TargetText.format(target)),
)

const locationShape = exactlyOne(
  Schema.Struct({
    header: opt(Schema.Struct({ name: Schema.NonEmptyString, prefix: opt(Schema.String) })),
    queryParameter: opt(Schema.Struct({ name: Schema.NonEmptyString })),
    cookie: opt(Schema.Struct({ name: Schema.NonEmptyString })),
    expression: opt(
      Schema.Union([Cel, Schema.Struct({ expression: Cel })]).pipe(
        Schema.decodeTo(Cel, {
          decode: SchemaGetter.transform((one) => (typeof one === "string" ? one : one.expression)),
          encode: SchemaGetter.transform((one): Expression | { readonly expression: Expression } => one as Expression),
        }),
      ),
      "Where the credential can only be read.",
    ),
  }),
  ["header", "queryParameter", "cookie", "expression"],
).annotate({ identifier: "CredentialLocation" })
export interface LocationSchema extends Named<typeof locationShape> {}
export const Location: LocationSchema = locationShape
export type Location = typeof Location.Type

const headerEditsShape = Schema.Struct({
  add: opt(TextMap, "Headers to add beside those of the same name."),
  set: opt(TextMap, "Headers to put in place of those of the same name."),
  remove: opt(Texts, "Headers to take out."),
}).annotate({ identifier: "HeaderModifier" })
export interface HeaderEditsSchema extends Named<typeof headerEditsShape> {}
export const HeaderEdits: HeaderEditsSchema = headerEditsShape
export type HeaderEdits = typeof HeaderEdits.Type

const transformationShape = Schema.Struct({
  metadata: opt(CelMap),
  replace: opt(Cel),
  add: opt(CelMap),
  set: opt(CelMap),
  remove: opt(Texts),
  body: opt(Cel),
}).annotate({ identifier: "Transformation" })
export interface TransformationSchema extends Named<typeof transformationShape> {}
export const Transformation: TransformationSchema = transformationShape
export type Transformation = typeof Transformation.Type

export const Transformations = { request: opt(Transformation), response: opt(Transformation) }

export const Keepalive = Schema.Struct({
  enabled: opt(Schema.Boolean),
  time: opt(Millis, "Idle time before the first probe; 3m unless set."),
  interval: opt(Millis, "Time between probes; 3m unless set."),
  retries: opt(Count, "Probes left unanswered before the connection is given up; 9 unless set."),
})
export type Keepalive = typeof Keepalive.Type

export const BackendHttp = Schema.Struct({
  version: opt(
    anyCase(["HTTP/1.1", "HTTP/2.0"], { "1.1": "HTTP/1.1", "HTTP/2": "HTTP/2.0", "2": "HTTP/2.0", "2.0": "HTTP/2.0" }),
  ),
  requestTimeout: opt(Millis, "Time for one attempt until the head of the reply."),
}).annotate({ identifier: "BackendHttp" })

/** A duration, or the seconds and nanoseconds that one is made of. */
const Parts = Schema.Union([Millis, Schema.Struct({ secs: Count, nanos: Count })]).pipe(
  Schema.decodeTo(Schema.Finite, {
    decode: SchemaGetter.transform((one) => (typeof one === "number" ? one : one.secs * 1_000 + one.nanos / 1_000_000)),
    encode: SchemaGetter.transform((one): number | { readonly secs: number; readonly nanos: number } => one),
  }),
)

export const BackendTcp = Schema.Struct({ keepalives: opt(Keepalive), connectTimeout: opt(Parts) }).annotate({
  identifier: "BackendTcp",
})

const signingAlgorithm = anyCase(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"])

const Computed = Schema.Union([Schema.NonEmptyString, Schema.Struct({ expression: Cel })])

const ownAuth = {
  passthrough: opt(Schema.Struct({ location: opt(Location) }), "Send on the token that was checked."),
  key: opt(
    Schema.Union([
      Schema.String,
      Schema.Struct({ file: Schema.NonEmptyString }),
      Schema.Struct({ value: FileOrInline, location: opt(Location) }),
    ]),
    "Send a fixed key.",
  ),
  gcp: opt(
    Schema.Struct({
      type: opt(anyCase(["accessToken", "idToken"])),
      audience: opt(Schema.NonEmptyString),
      credential: opt(FileOrInline),
    }),
  ),
  aws: opt(
    Schema.Struct({
      accessKeyId: opt(Schema.NonEmptyString),
      secretAccessKey: opt(Schema.NonEmptyString),
      sessionToken: opt(Schema.NonEmptyString),
      region: opt(Schema.NonEmptyString),
      serviceName: opt(Schema.NonEmptyString),
      assumeRole: opt(
        Schema.Struct({
          roleArn: Schema.NonEmptyString,
          sessionName: opt(Computed),
          tags: opt(
            Schema.Array(
              exactlyOne(
                Schema.Struct({ key: Schema.NonEmptyString, value: opt(Schema.NonEmptyString), expression: opt(Cel) }),
                ["value", "expression"],
              ),
            ),
          ),
        }),
      ),
    }).check(
      Schema.makeFilter((aws) =>
        (aws.accessKeyId === undefined) !== (aws.secretAccessKey === undefined)
          ? "`accessKeyId` and `secretAccessKey` are set together"
          : undefined,
      ),
    ),
  ),
  azure: opt(
    exactlyOne(
      Schema.Struct({
        explicitConfig: opt(
          exactlyOne(
            Schema.Struct({
              clientSecret: opt(
                Schema.Struct({
                  tenant_id: Schema.NonEmptyString,
                  client_id: Schema.NonEmptyString,
                  client_secret: Schema.NonEmptyString,
                }),
              ),
              managedIdentity: opt(
                Schema.Struct({
                  userAssignedIdentity: opt(
                    exactlyOne(
                      Schema.Struct({
                        clientId: opt(Schema.NonEmptyString),
                        objectId: opt(Schema.NonEmptyString),
                        resourceId: opt(Schema.NonEmptyString),
                      }),
                      ["clientId", "objectId", "resourceId"],
                    ),
                  ),
                }),
              ),
              workloadIdentity: opt(Schema.Struct({})),
            }),
            ["clientSecret", "managedIdentity", "workloadIdentity"],
          ),
        ),
        developerImplicit: opt(Schema.Struct({})),
        implicit: opt(Schema.Struct({})),
      }),
      ["explicitConfig", "developerImplicit", "implicit"],
    ),
  ),
  copilot: opt(Schema.Struct({})),
  jwtSign: opt(
    Schema.Struct({
      signingKey: FileOrInline,
      alg: opt(signingAlgorithm),
      kid: opt(Schema.NonEmptyString),
      claims: opt(Schema.Record(Schema.String, Schema.Json)),
      ttl: opt(Millis),
      location: opt(Location),
    }),
  ),
  credentials: opt(Schema.Array(Schema.Struct({ location: Location, key: FileOrInline }))),
  headers: opt(
    Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, value: FileOrInline, prefix: opt(Schema.String) })),
    "An older way to say `credentials` that go into headers.",
  ),
}

const ownKinds = ["passthrough", "key", "gcp", "aws", "azure", "copilot", "jwtSign"]

const atMostOne = <S extends Schema.Top>(schema: S, keys: ReadonlyArray<string>): S["Rebuild"] =>
  schema.check(
    Schema.makeFilter<S["Type"]>((value: unknown) => {
      const set = typeof value === "object" && value !== null ? keys.filter((key) => Object.hasOwn(value, key)) : []
      return set.length > 1 ? `only one of ${set.map((key) => `\`${key}\``).join(", ")} may be set` : undefined
    }),
  )

const copilotWord = anyCase(["copilot"])

const ownAuthShape = Schema.Union([copilotWord, atMostOne(Schema.Struct(ownAuth), ownKinds)])
export interface OwnAuthSchema extends Named<typeof ownAuthShape> {}
export const OwnAuth: OwnAuthSchema = ownAuthShape
export type OwnAuth = typeof OwnAuth.Type

const tokenEndpointPolicies = Schema.Struct({
  requestHeaderModifier: opt(HeaderEdits),
  transformations: opt(Schema.Struct(Transformations)),
  backendTLS: opt(BackendTls),
  backendAuth: opt(OwnAuth),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
})

/** How a service is named inside a policy; exactly one of the three ways is checked where it is read. */
export const refFields = {
  host: opt(HostOrUrl, "`host:port` or a URL without a path."),
  backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
  service: opt(ServiceRef),
  name: opt(ServiceName, "`namespace/hostname` of an entry of `services`; needs `port`."),
  port: opt(Port),
}

const clientAuth = Schema.Struct({
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
export type ClientAuth = typeof clientAuth.Type

const tokenEndpoint = {
  ...refFields,
  policies: opt(tokenEndpointPolicies),
  path: opt(Schema.NonEmptyString),
  tokenEndpointPath: opt(Schema.NonEmptyString),
  clientAuth: opt(clientAuth),
}

const subjectToken = Schema.Struct({ source: opt(Location), tokenType: opt(Schema.NonEmptyString) })
const tokenCache = Schema.Struct({ maxEntries: opt(Count), defaultTtl: opt(Millis) })

const exchange = {
  grantType: opt(anyCase(["tokenExchange", "jwtBearer"])),
  subjectToken: opt(subjectToken),
  actorToken: opt(
    Schema.Struct({ source: Location, tokenType: opt(Schema.NonEmptyString), enforceMayAct: opt(Schema.Boolean) }),
  ),
  audiences: opt(Texts),
  scopes: opt(Texts),
  resources: opt(Texts),
  requestedTokenType: opt(Schema.NonEmptyString),
  additionalParams: opt(CelMap),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}
const oauthTokenExchangeShape = Schema.Struct({ ...tokenEndpoint, ...exchange }).annotate({
  identifier: "OauthTokenExchange",
})
export interface OauthTokenExchangeSchema extends Named<typeof oauthTokenExchangeShape> {}
export const OauthTokenExchange: OauthTokenExchangeSchema = oauthTokenExchangeShape
export type OauthTokenExchange = typeof OauthTokenExchange.Type

/** The same, with the endpoint in a field of its own. */
const oauthShape = Schema.Struct({
  tokenEndpoint: Schema.Struct(refFields),
  tokenEndpointPath: opt(Schema.NonEmptyString),
  policies: opt(tokenEndpointPolicies),
  clientAuth: opt(clientAuth),
  ...exchange,
})
export type Oauth = typeof oauthShape.Type

const TokenEndpoint = Schema.Struct(tokenEndpoint)
export type TokenEndpoint = typeof TokenEndpoint.Type

const crossApp = {
  audience: Schema.NonEmptyString,
  resources: opt(Texts),
  scopes: opt(Texts),
  accessTokenScopes: opt(Texts),
  subjectToken: opt(subjectToken),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}
const crossAppAccessShape = Schema.Struct({
  identityProvider: TokenEndpoint,
  resourceAuthorizationServer: TokenEndpoint,
  ...crossApp,
}).annotate({ identifier: "CrossAppAccess" })
export interface CrossAppAccessSchema extends Named<typeof crossAppAccessShape> {}
export const CrossAppAccess: CrossAppAccessSchema = crossAppAccessShape
export type CrossAppAccess = typeof CrossAppAccess.Type

const xaaShape = Schema.Struct({ idp: TokenEndpoint, resourceAs: TokenEndpoint, ...crossApp })
export type Xaa = typeof xaaShape.Type

const oauthClientCredentialsShape = Schema.Struct({
  ...tokenEndpoint,
  audiences: opt(Texts),
  scopes: opt(Texts),
  resources: opt(Texts),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}).annotate({ identifier: "OauthClientCredentials" })
export interface OauthClientCredentialsSchema extends Named<typeof oauthClientCredentialsShape> {}
export const OauthClientCredentials: OauthClientCredentialsSchema = oauthClientCredentialsShape
export type OauthClientCredentials = typeof OauthClientCredentials.Type

const backendAuthShape = Schema.Union([
  copilotWord,
  atMostOne(
    Schema.Struct({
      ...ownAuth,
      oauthTokenExchange: opt(OauthTokenExchange),
      oauth: opt(oauthShape, "Another way to say `oauthTokenExchange`."),
      crossAppAccess: opt(CrossAppAccess),
      xaa: opt(xaaShape, "An older way to say `crossAppAccess`."),
      oauthClientCredentials: opt(OauthClientCredentials, "A token for the gateway itself."),
    }),
    [...ownKinds, "oauthTokenExchange", "oauth", "crossAppAccess", "xaa", "oauthClientCredentials"],
  ),
]).annotate({ identifier: "BackendAuth", description: "How the gateway shows a backend who is calling." })
export interface BackendAuthSchema extends Named<typeof backendAuthShape> {}
export const BackendAuth: BackendAuthSchema = backendAuthShape
export type BackendAuth = typeof BackendAuth.Type

const backendTunnelShape = Schema.Struct({
  proxy: SimpleRef,
  policies: opt(
    Schema.Struct({
      backendTLS: opt(BackendTls),
      tcp: opt(BackendTcp),
      backendAuth: opt(Schema.Struct({ key: ownAuth.key })),
    }),
  ),
}).annotate({ identifier: "BackendTunnel", description: "Reach the backend through an HTTP proxy." })
export interface BackendTunnelSchema extends Named<typeof backendTunnelShape> {}
export const BackendTunnel: BackendTunnelSchema = backendTunnelShape
export type BackendTunnel = typeof BackendTunnel.Type

const calleePoliciesShape = Schema.Struct({
  requestHeaderModifier: opt(HeaderEdits),
  transformations: opt(Schema.Struct(Transformations)),
  backendTLS: opt(BackendTls),
  backendAuth: opt(BackendAuth),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
  backendTunnel: opt(BackendTunnel),
}).annotate({ identifier: "SimpleBackendPolicies", description: "Policies of calls that the gateway makes itself." })
export interface CalleePoliciesSchema extends Named<typeof calleePoliciesShape> {}
export const CalleePolicies: CalleePoliciesSchema = calleePoliciesShape
export type CalleePolicies = typeof CalleePolicies.Type

export const calleeFields = { ...refFields, policies: opt(CalleePolicies) }
const Callee = Schema.Struct(calleeFields)
export type Callee = typeof Callee.Type
