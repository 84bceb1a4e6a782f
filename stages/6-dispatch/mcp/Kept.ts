/**
 * What outlives the worker it began with, sealed: whoever reads the place it is kept in learns neither whose it is nor
 * what. While that place cannot be reached, what is remembered here has to do.
 */
import * as Effect from "effect/Effect"
import { inMemory, type KeepsakeKind, type Keepsakes, type KeepsakesFailure } from "../../ports/Keepsakes.ts"
import type { Sealer } from "../../ports/Sealer.ts"
import type { Clock } from "../../ports/Timer.ts"

/** How long somebody may wait for what is kept: whoever asks first may wait for its tables. */
const KEPT_MILLIS_MAX = 10_000

export interface KeptParts {
  readonly clock: Clock
  readonly sealer: Sealer
  readonly keepsakes: Keepsakes
}

/** Under which name, and with what else it is listed. */
export interface Place {
  readonly kind: KeepsakeKind
  readonly owner: string
  readonly name: string
}

export interface Read<A> {
  readonly value: A
  readonly version: number
}

export class Kept {
  private readonly clock: Clock
  private readonly sealer: Sealer
  private readonly keepsakes: Keepsakes
  /** What could not be kept where it belongs. */
  private readonly astray = inMemory()
  private hasAstray = false
  private isBroken = false

  constructor({ clock, keepsakes, sealer }: KeptParts) {
    this.clock = clock
    this.keepsakes = keepsakes
    this.sealer = sealer
  }

  private ownerOf({ kind, owner }: Omit<Place, "name">): string {
    return this.sealer.digest(`${kind} ${owner}`)
  }

  private idOf(place: Place): string {
    return this.sealer.digest(`${this.ownerOf(place)} ${place.name}`)
  }

  private sealed(place: Place, value: unknown, untilMillis: number) {
    const owner = this.ownerOf(place)
    const text = this.sealer.seal(JSON.stringify(value), purposeOf(owner))
    return { id: this.idOf(place), owner, kind: place.kind, text, untilMillis }
  }

  /** Undefined: it was sealed by somebody with another key. */
  private opened<A>(place: Omit<Place, "name">, text: string): A | undefined {
    const opened = this.sealer.open(text, purposeOf(this.ownerOf(place)))
    // Whatever can be opened was sealed here, and so has the shape that it was given.
    return opened === undefined ? undefined : (JSON.parse(opened) as A)
  }

  readonly put = (place: Place, value: unknown, untilMillis: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const keepsake = this.sealed(place, value, untilMillis)
      const now = this.clock.wallMillis()
      return this.trying(this.keepsakes.put(keepsake, now), () => {
        this.hasAstray = true
        return Effect.ignore(this.astray.put(keepsake, now))
      })
    })

  /** For one of those who try; whoever cannot ask goes on as if alone. */
  readonly claim = (
    place: Place,
    value: unknown,
    untilMillis: number,
    version: number | undefined,
  ): Effect.Effect<boolean> =>
    Effect.suspend(() =>
      this.trying(this.keepsakes.claim(this.sealed(place, value, untilMillis), version, this.clock.wallMillis()), () =>
        Effect.succeed(true),
      ),
    )

  readonly find = <A>(place: Place): Effect.Effect<Read<A> | undefined> =>
    Effect.suspend(() => {
      const id = this.idOf(place)
      const now = this.clock.wallMillis()
      const read = (found: { readonly text: string; readonly version: number } | undefined): Read<A> | undefined => {
        const value = found === undefined ? undefined : this.opened<A>(place, found.text)
        return found === undefined || value === undefined ? undefined : { value, version: found.version }
      }
      const kept = this.trying(Effect.map(this.keepsakes.find(id, now), read), () => Effect.succeed(undefined))
      if (!this.hasAstray) return kept
      return Effect.flatMap(
        Effect.orElseSucceed(this.astray.find(id, now), () => undefined),
        (found) => (found === undefined ? kept : Effect.succeed(read(found))),
      )
    })

  readonly list = <A>(place: Omit<Place, "name">): Effect.Effect<ReadonlyArray<A>> =>
    Effect.suspend(() => {
      const owner = this.ownerOf(place)
      const now = this.clock.wallMillis()
      const read = (texts: ReadonlyArray<string>): ReadonlyArray<A> =>
        texts.flatMap((text) => this.opened<A>(place, text) ?? [])
      const kept = this.trying(Effect.map(this.keepsakes.list(owner, now), read), () => Effect.succeed([]))
      if (!this.hasAstray) return kept
      const astray = Effect.orElseSucceed(this.astray.list(owner, now), () => [])
      return Effect.zipWith(kept, astray, (there, here) => [...there, ...read(here)])
    })

  readonly remove = (place: Place): Effect.Effect<void> =>
    Effect.suspend(() => {
      const id = this.idOf(place)
      return Effect.andThen(
        Effect.ignore(this.astray.remove(id)),
        this.trying(this.keepsakes.remove(id), () => Effect.void),
      )
    })

  readonly clear = (place: Omit<Place, "name">): Effect.Effect<void> =>
    Effect.suspend(() => {
      const owner = this.ownerOf(place)
      return Effect.andThen(
        Effect.ignore(this.astray.clear(owner)),
        this.trying(this.keepsakes.clear(owner), () => Effect.void),
      )
    })

  /** Said once, however long it lasts. */
  private trying<A>(effect: Effect.Effect<A, KeepsakesFailure>, otherwise: () => Effect.Effect<A>): Effect.Effect<A> {
    return Effect.matchEffect(
      Effect.timeoutOrElse(effect, {
        duration: KEPT_MILLIS_MAX,
        orElse: () => Effect.fail<KeepsakesFailure>({ _tag: "KeepsakesFailure", message: "no answer in time" }),
      }),
      {
        onFailure: ({ message }) => {
          const before = this.isBroken
          this.isBroken = true
          return before
            ? otherwise()
            : Effect.andThen(
                Effect.logWarning(`What outlives workers of MCP cannot be kept or read now: ${message}`),
                otherwise(),
              )
        },
        onSuccess: (value) => {
          this.isBroken = false
          return Effect.succeed(value)
        },
      },
    )
  }
}

const purposeOf = (owner: string): string => `mcp-kept ${owner}`
