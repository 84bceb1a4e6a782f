/** The providers that are asked how they are; who stays the same over a change of the configuration is asked on. */
import type * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Clock } from "../../ports/Timer.ts"
import type { LlmState } from "./LlmState.ts"
import { type Probe, watch } from "./probes.ts"

interface Held {
  readonly text: string
  readonly handle: Probe["handle"]
  readonly fiber: Fiber.Fiber<void>
}

export class Watched {
  private readonly state: LlmState
  private readonly clock: Clock
  private readonly run: (effect: Effect.Effect<never>) => Fiber.Fiber<void>
  private readonly held = new Map<string, Held>()

  constructor(state: LlmState, clock: Clock, run: (effect: Effect.Effect<never>) => Fiber.Fiber<void>) {
    this.state = state
    this.clock = clock
    this.run = run
  }

  update(probes: ReadonlyMap<string, Probe>): void {
    for (const [id, { fiber, handle, text }] of this.held) {
      const probe = probes.get(id)
      if (probe !== undefined && probe.handle === handle && textOf(probe) === text) continue
      this.held.delete(id)
      fiber.interruptUnsafe()
    }
    for (const [id, probe] of probes) {
      if (this.held.has(id)) continue
      const fiber = this.run(watch(probe, this.state.vitals(id), this.clock))
      this.held.set(id, { text: textOf(probe), handle: probe.handle, fiber })
    }
  }
}

const textOf = ({ active, authority, scheme }: Probe): string => JSON.stringify([active, authority, scheme])
