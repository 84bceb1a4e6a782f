/** A gateway in front of scripted model providers, for official SDKs to talk through. */
import type { BindKey } from "../../../ir/Key.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { GatewayOptions } from "../../../src/Gateway.ts"
import { loadedOf } from "../../config/memoryIo.ts"
import { type Started, startGateway } from "../harness.ts"

const onFreePort = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  binds: new Map(
    [...snapshot.binds].map(([key, bind]) => [
      key as BindKey,
      { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const },
    ]),
  ),
})

export interface Place {
  readonly gateway: Started
  readonly url: string
  readonly close: () => Promise<void>
}

export const startPlace = async (
  text: string,
  options: Partial<Omit<GatewayOptions, "config">> = {},
): Promise<Place> => {
  const { snapshot } = await loadedOf(text)
  const gateway = await startGateway(onFreePort(snapshot), options)
  return { gateway, url: `http://127.0.0.1:${gateway.port}`, close: gateway.close }
}
