/** What is remembered of agents from plan to plan: their cards, as fresh as they ask for. One for a whole gateway. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { fromLegacyCard } from "../../../protocols/a2a/card/legacy.ts"
import { type Fields, isFields, parse, textOf } from "../../../protocols/a2a/Fields.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import { type Fetched, RemoteDocument } from "../../5-policy/RemoteDocument.ts"
import type { Places } from "../../ports/Places.ts"
import type { Spendings } from "../../ports/Spending.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { LockParts } from "../lock/LockParts.ts"
import { courier } from "./push/courier.ts"
import type { Push } from "./push/Push.ts"
import { Jobs } from "./publish/Jobs.ts"
import { memoryTasks } from "./publish/memoryTasks.ts"
import { tell } from "./push/receive.ts"
import type { Tasks } from "../../ports/Tasks.ts"
import type { Run } from "./stream.ts"
import { Whereabouts } from "./Whereabouts.ts"

/** How many cards are kept; beyond, the one asked for first is forgotten. */
const CARDS_MAX = 4_096

/** A card as it was written, signatures and all; a text says why it is none. */
export const decodeCard = (text: string): Fields | string => {
  const value = parse(text)?.value
  if (!isFields(value)) return "it is not a JSON object"
  if (textOf(value["name"]) === undefined) return "it has no `name`"
  const card = fromLegacyCard(value)
  const interfaces = card["supportedInterfaces"]
  return Array.isArray(interfaces) && interfaces.length > 0 ? value : "it names no interface"
}

/** What a gateway may do without. */
export interface AgentParts {
  readonly push?: Push | undefined
  /** Absent: where tasks live is forgotten with the process. */
  readonly places?: Places | undefined
  /** Absent: tasks of agents that the gateway plays are those of this process. */
  readonly tasks?: Tasks | undefined
  /** Absent: budgets of messages cannot be looked up. */
  readonly spendings?: Spendings | undefined
  /** Absent: no card is under a lock. */
  readonly lock?: LockParts | undefined
}

/** `chain`: by which way whoever needs it was asked, as fields of a head. */
export type FetchCard = (chain: ReadonlyArray<string>) => Effect.Effect<Fetched, string>

export class Agents {
  readonly whereabouts: Whereabouts
  /** Absent: notifications are between agents and whoever asked for them. */
  readonly push: Push | undefined
  /** The tasks of agents that the gateway plays. */
  readonly jobs: Jobs
  readonly spendings: Spendings | undefined
  readonly lock: LockParts | undefined
  /** Runs what nobody waits for. */
  readonly run: Run
  private readonly clock: Clock
  private readonly cards = new Map<string, RemoteDocument<Fields>>()
  private readonly fetches = new Map<string, FetchCard>()
  private readonly chains = new Map<string, ReadonlyArray<string>>()

  constructor(clock: Clock, run: Run, { lock, places, push, spendings, tasks }: AgentParts = {}) {
    this.clock = clock
    this.whereabouts = new Whereabouts(places === undefined ? undefined : { places, clock })
    this.run = run
    this.push = push
    this.spendings = spendings
    this.lock = lock
    this.jobs = new Jobs({
      clock,
      run,
      store: tasks ?? memoryTasks(),
      notify: (registration, event) => (push === undefined ? Effect.void : tell(push, registration, event)),
    })
  }

  /** The card at an address; it is fetched as whoever asked last says. */
  card(address: string, fetch: FetchCard): RemoteDocument<Fields> {
    this.fetches.set(address, fetch)
    let card = this.cards.get(address)
    if (card === undefined) {
      card = new RemoteDocument(address, decodeCard, {
        clock: this.clock,
        run: this.run,
        fetch: () =>
          this.fetches.get(address)?.(this.chains.get(address) ?? []) ??
          Effect.fail("nobody knows how to fetch it any more"),
      })
      this.cards.set(address, card)
      if (this.cards.size > CARDS_MAX) this.forgetFirst()
    }
    return card
  }

  /** Whoever needs a card next was asked by this way: a card that is needed to answer for itself must not be waited for. */
  cameBy(address: string, headers: Headers): void {
    const chain = headers.all("via").flatMap((value) => ["via", value])
    if (chain.length === 0) this.chains.delete(address)
    else this.chains.set(address, chain)
  }

  get cardCount(): number {
    return this.cards.size
  }

  /** Every card is fetched anew by whoever needs it next. */
  forgetCards(): void {
    this.cards.clear()
    this.fetches.clear()
    this.chains.clear()
  }

  private forgetFirst(): void {
    for (const address of this.cards.keys()) {
      this.cards.delete(address)
      this.fetches.delete(address)
      this.chains.delete(address)
      return
    }
  }
}

/** Fetches and notifications belong to the scope it is made in. */
export const make = (clock: Clock, parts: AgentParts = {}): Effect.Effect<Agents, never, Scope.Scope> =>
  Effect.flatMap(FiberSet.makeRuntime<never, void>(), (run) =>
    Effect.map(parts.push === undefined ? Effect.void : courier(parts.push), () => {
      const agents = new Agents(clock, run, parts)
      // Tasks that nobody else can see end with their process.
      if (parts.tasks !== undefined) agents.jobs.mind()
      return agents
    }),
  )
