/**
 * Notifications that agents send of their tasks: agents tell the gateway, and the gateway tells whoever asked for it, in
 * the version that was asked in. One for a whole gateway.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Ask } from "../../../5-policy/ask.ts"
import type { Cryptography, Signer } from "../../../ports/Cryptography.ts"
import { type Postbox, postboxFailure, type PostboxFailure } from "../../../ports/Postbox.ts"
import type { Clock } from "../../../ports/Timer.ts"

/** Where agents write to, below the address by which they reach the gateway. */
export const pushPath = "/.sluice/a2a/push/"
/** Where receivers find the keys that notifications are signed with. */
export const pushKeysPath = "/.sluice/a2a/jwks.json"

export interface PushSettings {
  /** How agents and receivers reach this gateway: scheme and authority, and a path without a slash at its end. */
  readonly callback: string
  /** Receivers that need be neither public nor spoken to over TLS; `*.` stands for every name below. */
  readonly allowedHosts: ReadonlyArray<string>
  /** How often one notification is tried. */
  readonly attemptsMax: number
  /** How long it is tried. */
  readonly giveUpMillis: number
  /** How long a receiver may take. */
  readonly timeoutMillis: number
}

export const pushDefaults = { allowedHosts: [], attemptsMax: 20, giveUpMillis: 24 * 3_600_000, timeoutMillis: 10_000 }

export interface PushPorts {
  readonly settings: PushSettings
  readonly postbox: Postbox
  readonly clock: Clock
  readonly cryptography: Pick<Cryptography, "digest" | "equal" | "random" | "sha256" | "signer">
  readonly ask: Ask
  /** What notifications are signed with. */
  readonly signingKey: Effect.Effect<Redacted.Redacted, PostboxFailure>
}

export class Push {
  readonly ports: PushPorts
  private signing: Promise<Signer | string> | undefined
  private wake: (() => void) | undefined
  private isAwake = false

  constructor(ports: PushPorts) {
    this.ports = ports
  }

  get callback(): string {
    return this.ports.settings.callback
  }

  callbackOf(id: string): string {
    return `${this.callback}${pushPath}${id}`
  }

  get signer(): Effect.Effect<Signer, PostboxFailure> {
    const { cryptography, signingKey } = this.ports
    return Effect.flatMap(signingKey, (key) =>
      Effect.flatMap(
        Effect.promise(() => (this.signing ??= cryptography.signer(key, undefined))),
        (signer) => (typeof signer === "string" ? Effect.fail(postboxFailure(signer)) : Effect.succeed(signer)),
      ),
    )
  }

  /** Something may be due. */
  poke(): void {
    this.isAwake = true
    this.wake?.()
  }

  /** Waits until something may be due. */
  readonly poked: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const go = (): void => {
      this.isAwake = false
      this.wake = undefined
      resume(Effect.void)
    }
    if (this.isAwake) return go()
    this.wake = go
    return Effect.sync(() => {
      if (this.wake === go) this.wake = undefined
    })
  })
}
