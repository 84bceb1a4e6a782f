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
  readonly dns: Static["dns"]["lookupFamily"]
  readonly ipv6: boolean
  readonly network: network.NetworkOptions
}

export const layer = (options: WorldOptions): Layer.Layer<Network | Upstream | Timer> =>
  Layer.mergeAll(
    network.layer(options.network),
    upstream.layerWith({ lookupFamily: options.dns, ipv6: options.ipv6 }),
    timer.layer,
  )
