/** What the process-wide settings mean for a gateway. */
import type { Static } from "./config/Static.ts"
import type { GatewayOptions } from "./Gateway.ts"

export const gatewayOptions = (settings: Static): Omit<GatewayOptions, "config"> => ({
  ipv6: settings.enableIpv6,
  drain: {
    minMillis: settings.connectionMinTerminationDeadlineMillis,
    maxMillis: settings.connectionTerminationDeadlineMillis,
  },
  upstream: {
    connectTimeoutMillis: settings.backend.connectTimeoutMillis,
    poolIdleMillis: settings.backend.poolIdleTimeoutMillis,
    poolSizeMax: settings.backend.poolMaxSize,
    keepAlive: { enabled: settings.backend.keepalives.enabled, timeMillis: settings.backend.keepalives.timeMillis },
  },
})
