/** The real world: every port on Node. */
import * as Layer from "effect/Layer"
import type { Network } from "../../stages/ports/Network.ts"
import type { Timer } from "../../stages/ports/Timer.ts"
import type { Upstream } from "../../stages/ports/Upstream.ts"
import type { Static } from "../config/Static.ts"
import * as network from "./network.ts"
import * as timer from "./timer.ts"
import * as upstream from "./upstream.ts"

export interface WorldOptions {
  /** Which addresses of a name are asked for; IPv4 first unless set. */
  readonly dns?: Static["dns"]["lookupFamily"]
  /** Whether names may lead to IPv6 addresses; so unless set. */
  readonly ipv6?: boolean
  readonly network?: network.NetworkOptions
}

export const layer = ({
  dns = "V4Preferred",
  ipv6 = true,
  network: listening = { reusePort: false },
}: WorldOptions = {}): Layer.Layer<Network | Upstream | Timer> =>
  Layer.mergeAll(network.layer(listening), upstream.layerWith({ lookupFamily: dns, ipv6 }), timer.layer)
