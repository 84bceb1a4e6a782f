/** What the process-wide settings mean for a gateway. */
import * as Redacted from "effect/Redacted"
import type { Static } from "./config/Static.ts"
import type { Whereabouts } from "../stages/6-dispatch/Whereabouts.ts"
import type { GatewayOptions } from "./Gateway.ts"

/** What expressions know of where the gateway runs. */
const environmentOf = ({ identity }: Static): Readonly<Record<string, string>> => ({
  ...(identity.podName === undefined ? {} : { podName: identity.podName }),
  namespace: identity.namespace,
  gateway: identity.gateway,
})

/** `LOCALITY` decides; without it the workload does whose name and namespace the gateway has. */
const whereaboutsOf = ({ identity }: Static): Whereabouts => {
  const { clusterId, locality, namespace, network, nodeName, podName } = identity
  const isPlaced = locality !== undefined || nodeName !== undefined || network !== ""
  return {
    ...(isPlaced
      ? {
          said: {
            ...(locality === undefined
              ? {}
              : { Region: locality.region, Zone: locality.zone, Subzone: locality.subzone }),
            ...(nodeName === undefined ? {} : { Node: nodeName }),
            Cluster: clusterId,
            Network: network,
          },
        }
      : {}),
    ...(locality === undefined && podName !== undefined ? { workload: { name: podName, namespace, clusterId } } : {}),
  }
}

export const gatewayOptions = (settings: Static): Omit<GatewayOptions, "config"> => ({
  ipv6: settings.enableIpv6,
  drain: {
    minMillis: settings.connectionMinTerminationDeadlineMillis,
    maxMillis: settings.connectionTerminationDeadlineMillis,
  },
  tracingDisabled: settings.tracing.isDisabled,
  ...(settings.tracing.propagators === undefined ? {} : { propagators: settings.tracing.propagators }),
  mcpSessionIdleMillis: settings.mcpSessionTtlMillis,
  ...(settings.sessionKey === undefined ? {} : { sealingKey: Buffer.from(Redacted.value(settings.sessionKey), "hex") }),
  ...(settings.customFunctions === undefined ? {} : { customFunctions: settings.customFunctions }),
  ...(settings.redisUrl === undefined ? {} : { redisUrl: settings.redisUrl }),
  sensitiveHeaders: settings.sensitiveHeaders,
  environment: environmentOf(settings),
  whereabouts: whereaboutsOf(settings),
  upstream: {
    connectTimeoutMillis: settings.backend.connectTimeoutMillis,
    poolIdleMillis: settings.backend.poolIdleTimeoutMillis,
    poolSizeMax: settings.backend.poolMaxSize,
    keepAlive: settings.backend.keepalives,
  },
})
