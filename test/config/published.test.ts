/**
 * Every key that the published JSON Schema of the reference has is known here, or refused with a word on what to write
 * instead. The lists are facts about that schema, by where the same thing stands in ours.
 */
import { describe, expect, it } from "vitest"
import { notBuilt, withoutEffect } from "../../src/config/local/built.ts"
import { movedFields } from "../../src/config/local/movedFields.ts"
import { reference } from "../../src/config/local/reference.ts"

type Json = { readonly [name: string]: unknown }
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const schema = reference() as Json
const definitions = schema["$defs"] as Json

/** The keys of an object, whichever of its forms has them; with what stands behind each. */
const keysOf = (json: unknown, into = new Map<string, Array<unknown>>()): Map<string, Array<unknown>> => {
  if (!isJson(json)) return into
  const { $ref: ref, items, properties } = json
  if (typeof ref === "string") keysOf(definitions[ref.slice(ref.lastIndexOf("/") + 1)], into)
  if (isJson(properties)) {
    for (const [key, value] of Object.entries(properties)) into.set(key, [...(into.get(key) ?? []), value])
  }
  for (const name of ["anyOf", "oneOf", "allOf"]) {
    const branches = json[name]
    if (Array.isArray(branches)) for (const one of branches) keysOf(one, into)
  }
  keysOf(items, into)
  return into
}

/** `Definition.key.key`, or a path from the top. */
const at = (path: string): ReadonlySet<string> => {
  const [first = "", ...rest] = path.split(".")
  let here: ReadonlyArray<unknown> = first === "" ? [schema] : [definitions[first]]
  for (const key of rest) here = here.flatMap((one) => keysOf(one).get(key) ?? [])
  return new Set(here.flatMap((one) => [...keysOf(one).keys()]))
}

const callee = ["service", "host", "backend", "policies"]
const conditional = ["conditional"]
const published: Readonly<Record<string, string>> = {
  "": "config binds frontendPolicies policies workloads services backends routeGroups llm mcp gateways routes tcpRoutes ui",
  Config:
    "enableIpv6 dns localXdsPath caAddress caAuthToken xdsAddress xdsAuthToken namespace gateway trustDomain additionalTrustDomains skipValidateTrustDomain serviceAccount clusterId network adminAddr statsAddr readinessAddr session mcp connectionTerminationDeadline connectionMinTerminationDeadline workerThreads tracing logging metrics backend hbone modelCatalog database storage spiffe histograms standardAttributes sensitiveHeaders customFunctions",
  "Config.dns": "lookupFamily edns0",
  "Config.session": "key",
  "Config.mcp": "sessionTtl",
  "Config.tracing": "otlpEndpoint headers otlpProtocol fields randomSampling clientSampling path",
  "Config.logging": "filter fields level format database",
  "Config.logging.fields": "add remove",
  "Config.metrics": "remove fields",
  "Config.metrics.fields": "add",
  "Config.backend": "keepalives connectTimeout poolIdleTimeout poolMaxSize",
  "Config.backend.keepalives": "enabled time interval retries",
  "Config.hbone": "windowSize connectionWindowSize frameSize poolMaxStreamsPerConn poolUnusedReleaseTimeout",
  Bind: "port listeners tunnelProtocol mode",
  Listener: "name namespace hostname protocol tls routes tcpRoutes policies",
  ServerTls: "cert key root cipherSuites minTLSVersion maxTLSVersion keyExchangeGroups mode spiffe",
  Route: "name namespace ruleName hostnames matches policies backends",
  AttachedRoute: "gateways name hostnames matches policies backends",
  RouteMatch: "headers path method query",
  "RouteMatch.headers": "name value",
  "RouteMatch.path": "exact pathPrefix regex",
  "RouteMatch.query": "name value",
  "RouteMatch.query.value": "exact regex",
  RoutePolicies:
    "requestHeaderModifier responseHeaderModifier requestRedirect urlRewrite requestMirror directResponse cors mcpAuthorization extMcp mcpGuardrails authorization mcpAuthentication a2a ai backendTLS backendTunnel backendAuth localRateLimit remoteRateLimit jwtAuth oidc basicAuth apiKey extAuthz extProc transformations csrf timeout retry buffer delay concurrencyLimit ipAccessControl aauth oauth2 mcpRemoteRateLimit",
  HeaderModifier: "add set remove",
  RequestRedirect: "scheme authority path status",
  "RequestRedirect.authority": "full host port",
  "RequestRedirect.path": "full prefix",
  UrlRewrite: "authority path",
  RequestMirror: "backend percentage",
  SimpleRef: "service host backend",
  "SimpleRef.service": "name port",
  "SimpleRef.service.name": "namespace hostname",
  DirectResponse: `body bodyExpression headers status ${conditional}`,
  "DirectResponse.conditional": "condition body bodyExpression headers status",
  Cors: "allowCredentials allowHeaders allowMethods allowOrigins exposeHeaders maxAge",
  Authorization: "rules",
  "Authorization.rules": "allow deny require",
  McpGuardrails: "processors",
  "McpGuardrails.processors": `methods kind failureMode metadata requestHeaders when reject transform ${callee.join(" ")}`,
  "McpGuardrails.processors.requestHeaders": "allowed disallowed",
  McpAuthentication:
    "issuer audiences provider resourceMetadata jwks mode authorizationLocation jwtValidationOptions clientId clientSecret relaySigningKey",
  "McpAuthentication.provider": "auth0 keycloak okta descope authentik entra",
  CredentialLocation: "header queryParameter cookie expression",
  "CredentialLocation.header": "name prefix",
  "CredentialLocation.expression": "expression",
  AiPolicy:
    "promptGuard defaults overrides transformations finalTransformations prompts modelAliases promptCaching routes models",
  "AiPolicy.models": "id ownedBy created",
  "AiPolicy.prompts": "append prepend",
  PromptGuard: "request response streaming",
  "PromptGuard.request":
    "rejection regex webhook openAIModeration bedrockGuardrails googleModelArmor azureContentSafety promptInjection scope",
  "PromptGuard.request.rejection": "body status headers",
  "PromptGuard.request.regex": "action rules",
  "PromptGuard.request.regex.rules": "builtin pattern",
  "PromptGuard.request.webhook": "target forwardHeaderMatches failureMode headers messageFormat path minSizeBytes",
  "PromptGuard.request.openAIModeration": "model policies",
  "PromptGuard.request.bedrockGuardrails": "guardrailIdentifier guardrailVersion region policies",
  "PromptGuard.request.googleModelArmor": "templateId projectId location policies",
  "PromptGuard.request.azureContentSafety": "endpoint policies analyzeText detectJailbreak severityThreshold",
  "PromptGuard.request.azureContentSafety.analyzeText":
    "severityThreshold apiVersion blocklistNames haltOnBlocklistHit",
  "PromptGuard.request.azureContentSafety.detectJailbreak": "apiVersion",
  "PromptGuard.response": "rejection regex webhook bedrockGuardrails googleModelArmor azureContentSafety",
  PromptCaching: "cacheSystem cacheMessages cacheTools minTokens cacheMessageOffset",
  SimpleBackendPolicies: "requestHeaderModifier transformations backendTLS backendAuth http tcp backendTunnel",
  Transformation: "add set remove body metadata replace",
  BackendTls: "cert key root hostname insecure insecureHost alpn subjectAltNames keyExchangeGroups spiffe",
  BackendAuth:
    "passthrough key gcp aws azure copilot jwtSign oauthTokenExchange crossAppAccess oauth xaa headers credentials",
  "BackendAuth.passthrough": "location",
  "BackendAuth.key": "value location file",
  "BackendAuth.gcp": "type audience credential",
  "BackendAuth.aws": "accessKeyId secretAccessKey region sessionToken serviceName assumeRole",
  "BackendAuth.aws.assumeRole": "roleArn sessionName tags",
  "BackendAuth.azure": "explicitConfig developerImplicit implicit",
  "BackendAuth.azure.explicitConfig": "clientSecret managedIdentity workloadIdentity",
  "BackendAuth.azure.explicitConfig.clientSecret": "tenant_id client_id client_secret",
  "BackendAuth.azure.explicitConfig.managedIdentity": "userAssignedIdentity",
  "BackendAuth.oauth":
    "tokenEndpoint tokenEndpointPath grantType subjectToken audiences scopes clientAuth additionalParams",
  "BackendAuth.xaa": "idp resourceAs audience resources scopes cache",
  "BackendAuth.xaa.idp": "host backend tokenEndpointPath clientAuth",
  BackendHttp: "version requestTimeout",
  BackendTcp: "keepalives connectTimeout",
  "BackendTcp.connectTimeout": "secs nanos",
  BackendTunnel: "proxy",
  LocalRateLimit: "maxTokens tokensPerFill fillInterval type limit unit conditional",
  RemoteRateLimit: `domain descriptors failureMode conditional ${callee.join(" ")}`,
  "RemoteRateLimit.descriptors": "entries type cost limitOverride",
  "RemoteRateLimit.descriptors.entries": "key value",
  ConcurrencyLimit: "maxConcurrent key conditional",
  IpAccessControl: "allow deny xffNumTrustedHops skipPrivateIps enforceFullChain maxXffLength",
  JwtAuth: "mode location providers issuer audiences jwks jwtValidationOptions",
  Oidc: "issuer discovery authorizationEndpoint tokenEndpoint tokenEndpointAuth jwks clientId clientSecret redirectURI scopes",
  BasicAuth: "htpasswd realm mode authorizationLocation",
  ApiKey: "keys mode location",
  "ApiKey.keys": "key keyHash metadata allowedModels",
  ExtAuthz: `protocol failureMode includeRequestHeaders includeRequestBody cache conditional ${callee.join(" ")}`,
  "ExtAuthz.protocol": "grpc http",
  "ExtAuthz.protocol.grpc": "context metadata",
  "ExtAuthz.protocol.http": "path redirect body includeResponseHeaders addRequestHeaders metadata",
  "ExtAuthz.failureMode": "denyWithStatus",
  "ExtAuthz.includeRequestBody": "maxRequestBytes allowPartialMessage packAsBytes",
  "ExtAuthz.cache": "key ttl maxEntries",
  ExtProc: `failureMode metadataContext requestAttributes responseAttributes processingOptions conditional ${callee.join(" ")}`,
  "ExtProc.processingOptions":
    "requestBodyMode responseBodyMode requestHeaderMode responseHeaderMode requestTrailerMode responseTrailerMode allowModeOverride",
  Csrf: "additionalOrigins",
  Timeout: "requestTimeout backendRequestTimeout",
  Retry: "attempts backoff codes precondition condition",
  RouteBackend: "weight policies service backend host dynamic mcp ai aws routeGroup internal invalid",
  McpBackend: "targets statefulMode prefixMode failureMode dnsRebindingProtection security_guards",
  McpTarget: "name policies sse mcp stdio openapi",
  "McpTarget.mcp": "host port path backend",
  "McpTarget.stdio": "cmd args env clear_env clearEnv",
  "McpTarget.openapi": "host port path backend schema",
  AiBackend: "groups name provider hostOverride pathOverride pathPrefix tokenize policies",
  NamedAiProvider: "name provider hostOverride pathOverride pathPrefix tokenize policies",
  "NamedAiProvider.provider": "openAI gemini vertex anthropic bedrock azure copilot custom",
  "NamedAiProvider.provider.bedrock": "model region guardrailIdentifier guardrailVersion requestMetadata",
  "NamedAiProvider.provider.azure": "model resourceName resourceType apiVersion projectName",
  "NamedAiProvider.provider.custom": "model formats",
  BackendPolicies:
    "requestHeaderModifier transformations backendTLS backendAuth http tcp backendTunnel responseHeaderModifier requestRedirect health extAuthz mcpAuthorization extMcp a2a inferenceRouting ai mcpGuardrails sessionAffinity requestMirror authorization",
  Health: "unhealthyExpression eviction active",
  "Health.eviction": "duration restoreHealth consecutiveFailures healthThreshold",
  "Health.active": "path interval timeout unhealthyThreshold healthyThreshold expectedStatuses",
  InferenceRouting: "endpointPicker destinationMode",
  AwsBackend: "agentCore",
  "AwsBackend.agentCore": "agentRuntimeArn qualifier",
  TcpRoute: "name namespace ruleName hostnames policies backends",
  TcpRouteBackend: "weight policies service host dynamic backend",
  GatewayPolicies: "oidc jwtAuth extAuthz extProc transformations basicAuth apiKey authorization cors ipAccessControl",
  FrontendPolicies:
    "http tls tcp networkAuthorization networkExtAuthz proxyProtocol proxy connect accessLog logging tracing",
  FrontendHttp:
    "maxBufferSize http1MaxHeaders http1IdleTimeout http1HeaderCase http2WindowSize http2ConnectionWindowSize http2FrameSize http2MaxHeaderSize http2KeepaliveInterval http2KeepaliveTimeout maxConnectionDuration",
  FrontendTls: "handshakeTimeout alpn minVersion maxVersion cipherSuites keyExchangeGroups",
  AccessLog: "filter add remove otlp database fields format",
  Tracing: `attributes resources remove randomSampling clientSampling path protocol filter ${callee.join(" ")}`,
  TargetedPolicy: "name target phase policy",
  "TargetedPolicy.target": "gateway route backend listenerSet",
  "TargetedPolicy.target.gateway": "gatewayName gatewayNamespace listenerName port",
  "TargetedPolicy.target.route": "name namespace ruleName kind",
  "TargetedPolicy.target.backend": "backend service",
  NamedBackend: "name policies host mcp ai aws internal",
  RouteGroup: "name routes",
  Llm: "gateways port tls providers models virtualModels policies guardrails",
  "Llm.policies":
    "oidc jwtAuth extAuthz extProc transformations basicAuth apiKey authorization cors guardrails localRateLimit remoteRateLimit concurrencyLimit timeout",
  LlmModel:
    "id name visibility params provider passthrough authorization defaults overrides transformation finalTransformation requestHeaders responseHeaders tls backendTLS auth health backendTunnel guardrails promptCaching matches serverTools",
  LlmParams:
    "model apiKey awsRegion vertexRegion vertexProject azureResourceName azureResourceType azureApiVersion azureProjectName baseUrl hostOverride pathOverride pathPrefix tokenize",
  LlmProvider: "name provider params defaults",
  Mcp: "gateways port targets statefulMode prefixMode failureMode policies",
  Ui: "gateways policies",
}

const refused: ReadonlySet<string> = new Set([
  ...Object.keys(movedFields),
  ...Object.values(notBuilt).flat(),
  ...withoutEffect,
])

describe("keys of the published schema", () => {
  it.each(Object.entries(published))("of %s are known, or refused with what to write instead", (path, keys) => {
    const known = at(path)
    expect(known.size, "there is such a place").toBeGreaterThan(0)
    expect(keys.split(" ").filter((key) => !known.has(key) && !refused.has(key))).toEqual([])
  })
})
