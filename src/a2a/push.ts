/** How a gateway passes on what agents tell of their tasks. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { memoryPostbox } from "../../stages/6-dispatch/a2a/push/memoryPostbox.ts"
import { Push, pushDefaults, type PushPorts, type PushSettings } from "../../stages/6-dispatch/a2a/push/Push.ts"
import type { KeptPostbox } from "./postbox.ts"
import { freshSigningKey } from "./signingKey.ts"

export interface PushOptions extends Partial<Omit<PushSettings, "callback">> {
  readonly callback: string
  /** What notifications are signed with: PEM (PKCS #8) or a JWK; one of the postbox, or of this process alone, unless given. */
  readonly signingKey?: Redacted.Redacted
  /** What waits to be told; in memory unless given. */
  readonly kept?: KeptPostbox
}

export const makePush = (
  { kept, signingKey, ...settings }: PushOptions,
  ports: Pick<PushPorts, "ask" | "clock" | "cryptography">,
): Push => {
  const own = kept === undefined ? Redacted.make(freshSigningKey()) : undefined
  const key = signingKey ?? own
  return new Push({
    ...ports,
    settings: { ...pushDefaults, ...settings, callback: settings.callback.replace(/\/+$/, "") },
    postbox: kept?.postbox ?? memoryPostbox(),
    signingKey: key === undefined && kept !== undefined ? kept.signingKey : Effect.succeed(key ?? Redacted.make("")),
  })
}
