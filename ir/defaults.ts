/** Every value the gateway assumes when it was told none: one table for the file, for xDS and for code. */
import type { CredentialLocation } from "./policy/CredentialLocation.ts"
import type { ClientTls } from "./Tls.ts"
import type { Keepalive } from "./policy/Keepalive.ts"

const second = 1000
const minute = 60 * second

export const bearer: CredentialLocation = { _tag: "Header", name: "authorization", prefix: "Bearer " }
export const basic: CredentialLocation = { _tag: "Header", name: "authorization", prefix: "Basic " }

/** TLS with the roots of the system, and nothing special about it. */
export const systemTrust: ClientTls = {
  verify: "full",
  subjectAltNames: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
}

export const keepalive: Keepalive = {
  enabled: true,
  timeMillis: 3 * minute,
  intervalMillis: 3 * minute,
  retries: 9,
}

export const defaults = {
  // connections from clients
  maxBufferBytes: 2_097_152,
  http1IdleTimeoutMillis: 10 * minute,
  http1MaxHeaders: 100,
  http1HeaderCase: "lowercase",
  handshakeTimeoutMillis: 15 * second,
  alpn: ["h2", "http/1.1", "http/1.0"],
  minTlsVersion: "TLSv1.2",
  maxTlsVersion: "TLSv1.3",
  proxyHeaderTimeoutMillis: 5 * second,
  proxyV1LineBytesMax: 107,
  proxyV2PayloadBytesMax: 512,
  proxyVersion: "v2",
  proxyMode: "strict",
  connectMode: "deny",
  mintedLeafLifetimeMillis: 5 * minute,
  mintedLeavesMax: 256,

  // connections to backends
  connectTimeoutMillis: 10 * second,
  poolIdleTimeoutMillis: 90 * second,
  dnsRefreshFloorMillis: 5 * second,
  dnsBackoffMinMillis: 200,
  dnsBackoffMaxMillis: 5 * second,

  // authentication
  authenticationMode: "optional",
  mcpAuthenticationMode: "strict",
  basicRealm: "Restricted",
  requiredClaims: ["exp"],
  clockLeewayMillis: minute,
  oidcSessionMillis: 60 * minute,
  oidcTransactionMillis: 5 * minute,
  oidcCodeExchangeTimeoutMillis: 10 * second,
  oidcTokenReplyBytesMax: 65_536,
  oidcSessionCookieBytesMax: 3800,
  oidcOriginalUriCharsMax: 2048,

  // services the gateway asks
  extAuthzFailureStatus: 403,
  extAuthzMaxBytes: 8192,
  extAuthzCacheEntriesMax: 10_000,
  extAuthzTimeoutMillis: 2 * second,
  remoteRateLimitTimeoutMillis: 2 * second,
  extProcTimeoutMillis: 10 * second,
  guardrailTimeoutMillis: 10 * second,
  failureMode: "failClosed",
  extProcBodyMode: "fullDuplexStreamed",

  // requests
  redirectStatus: 302,
  concurrencyStatus: 503,
  retryAfterMillis: second,
  queueTimeoutMillis: 5 * second,
  retryAttempts: 1,
  retryReplayBytesMax: 65_536,
  evictionMillis: 3 * second,
  forwardedChainMax: 30,
  injectionThreshold: 0.5,
  probePath: "/health",
  probeIntervalMillis: 10 * second,
  probeTimeoutMillis: 3 * second,
  probeUnhealthyThreshold: 3,

  // backend authentication
  cloudLookupTimeoutMillis: 5 * second,
  jwtSignAlgorithm: "RS256",
  jwtSignLifetimeMillis: 5 * minute,
  jwtBackdatingMillis: 10 * second,
  tokenEndpointPath: "/",
  tokenEndpointTimeoutMillis: 10 * second,
  tokenCacheEntriesMax: 8192,
  tokenCacheMillis: 5 * minute,
  tokenReuseMarginMillis: 15 * second,

  // calls of models
  llmBodyBytesMax: 64 * 1024 * 1024,
  llmIdleMillis: 5 * minute,
  responseCacheTtlMillis: 10 * minute,
  responseCacheEntryBytesMax: 1024 * 1024,
  semanticThreshold: 0.95,
  semanticEntriesMax: 1000,
  semanticTimeoutMillis: 2000,

  // guards of models
  guardRejectionStatus: 403,
  guardRejectionBody: "The request was rejected due to inappropriate content",
  moderationModel: "omni-moderation-latest",
  guardScope: ["systemPrompt", "messages"],
  promptCachingMinTokens: 1024,

  // MCP
  mcpPrefixMode: "conditional",
  mcpFailureMode: "failOpen",
  toolLockRecheckMillis: 30_000,
  mcpListTimeoutMillis: 5 * second,
  mcpIdleTimeoutMillis: minute,
  mcpCallTimeoutMillis: 30 * minute,
  mcpAskTimeoutMillis: 50 * second,
  stdioProcessesMax: 64,
  stdioIdleMillis: 5 * minute,

  // what is recorded
  otlpProtocol: "grpc",
  otlpLogsPath: "/v1/logs",
  otlpTracesPath: "/v1/traces",
} as const

/** No request is tried again more often, whatever a policy asks for. */
export const retriesMax = 100
