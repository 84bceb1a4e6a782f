/** What the frontend policies of a bind say, with what holds where they say nothing. */
import type { Bind } from "../ir/Bind.ts"
import { defaults, keepalive } from "../ir/defaults.ts"
import type { FrontendPolicies } from "../ir/effective.ts"
import type { ServerTls } from "../ir/Tls.ts"
import type { FrontendSettings } from "./Plan.ts"

/** Limits of connections that no policy sets. */
export interface ConnectionLimits {
  readonly headBytesMax: number
  readonly headTimeoutMillis: number
  readonly bodyIdleTimeoutMillis: number
  readonly writeStallTimeoutMillis: number
  readonly http2StreamsMax: number
}

export const frontendOf = (limits: ConnectionLimits, bind: Bind, policies: FrontendPolicies): FrontendSettings => {
  const http = policies.Http
  const idleTimeoutMillis = http?.http1IdleTimeoutMillis ?? defaults.http1IdleTimeoutMillis
  return {
    http: {
      headBytesMax: limits.headBytesMax,
      headersMax: http?.http1MaxHeaders ?? defaults.http1MaxHeaders,
      headTimeoutMillis: Math.min(limits.headTimeoutMillis, idleTimeoutMillis),
      bodyIdleTimeoutMillis: limits.bodyIdleTimeoutMillis,
      writeStallTimeoutMillis: limits.writeStallTimeoutMillis,
      idleTimeoutMillis,
      headerCase: http?.http1HeaderCase ?? defaults.http1HeaderCase,
      http2: {
        windowBytes: http?.http2WindowBytes,
        connectionWindowBytes: http?.http2ConnectionWindowBytes,
        frameBytes: http?.http2FrameBytes,
        headBytesMax: http?.http2MaxHeaderBytes,
        keepaliveIntervalMillis: http?.http2KeepaliveIntervalMillis,
        keepaliveTimeoutMillis: http?.http2KeepaliveTimeoutMillis,
        streamsMax: limits.http2StreamsMax,
      },
    },
    maxConnectionDurationMillis: http?.maxConnectionMillis,
    maxBufferBytes: http?.maxBufferBytes ?? defaults.maxBufferBytes,
    handshakeTimeoutMillis: policies.Tls?.handshakeTimeoutMillis ?? defaults.handshakeTimeoutMillis,
    alpn: policies.Tls?.alpn ?? defaults.alpn,
    keepAlive: policies.Tcp?.keepalive ?? keepalive,
    proxyProtocol:
      policies.ProxyProtocol ??
      (bind.tunnel === "proxy" ? { version: defaults.proxyVersion, mode: defaults.proxyMode } : undefined),
    connect: bind.tunnel === "connect" ? "tunnel" : (policies.Connect?.mode ?? defaults.connectMode),
  }
}

/** What the frontend policy sets takes the place of what the listener says. */
export const overridden = (tls: ServerTls, overrides: FrontendPolicies["Tls"]): ServerTls => {
  const { cipherSuites, keyExchangeGroups, maxVersion, minVersion } = overrides ?? {}
  if ((minVersion ?? maxVersion ?? cipherSuites ?? keyExchangeGroups) === undefined) return tls
  return {
    ...tls,
    minVersion: minVersion ?? tls.minVersion,
    maxVersion: maxVersion ?? tls.maxVersion,
    cipherSuites: cipherSuites ?? tls.cipherSuites,
    keyExchangeGroups: keyExchangeGroups ?? tls.keyExchangeGroups,
  }
}
