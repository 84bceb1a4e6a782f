/**
 * Exchanges kept in a database. Which: all that speak to models, tools and agents, and every other one of a listener whose
 * `accessLog` policy has a `database`. Nobody waits for the writing.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { sql } from "../../store/Statement.ts"
import type { Storage } from "../../store/Storage.ts"
import type { Store } from "../../store/Store.ts"
import { WriteQueue } from "../../store/WriteQueue.ts"
import { protocolOf } from "../spoken.ts"
import type { Told, Witness } from "../Told.ts"
import { rowsOf, type Standard } from "./record.ts"
import { component } from "./tables.ts"
import { uuidV7 } from "./uuid.ts"

export interface RequestLogOptions {
  readonly clock: Clock
  readonly standard: (told: Told) => Standard
  readonly batchMax?: number | undefined
  readonly onDropped: (writes: number, why: string) => void
  /** Told each time the database could not be opened. */
  readonly onUnavailable: (why: string) => void
}

/** Exchanges that wait for a database that is not open yet. */
const waitingMax = 4_096
const retryMillis = 5_000
/** How many rows one statement lets go, so that writers get their turn. */
const forgottenPerStatement = 5_000

export class RequestLog {
  private readonly options: RequestLogOptions
  private queue: WriteQueue | undefined
  private waiting: Array<Told> = []
  store: Store | undefined

  constructor(options: RequestLogOptions) {
    this.options = options
  }

  readonly witness: Witness = {
    wants: (exchange) => exchange.trail.listener?.recording?.database !== undefined || protocolOf(exchange) !== "http",
    tell: (told) => {
      if (this.queue !== undefined) return this.write(this.queue, told)
      if (this.waiting.length < waitingMax) this.waiting.push(told)
      else this.options.onDropped(1, "the database is not open")
    },
  }

  /** How many writes wait. */
  get size(): number {
    return this.waiting.length + (this.queue?.size ?? 0)
  }

  /** Until the database is open; what happened meanwhile is written then. */
  readonly open = (storage: Storage["Service"]): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      for (;;) {
        const opened = yield* Effect.result(storage.of(component))
        if (opened._tag === "Success") return this.begin(opened.success)
        this.options.onUnavailable(opened.failure.message)
        yield* Effect.sleep(retryMillis)
      }
    })

  readonly flush: Effect.Effect<void> = Effect.suspend(() => this.queue?.flush ?? Effect.void)

  private begin(store: Store): void {
    const { batchMax, clock, onDropped } = this.options
    this.store = store
    const queue = new WriteQueue({ store, clock, onDropped, ...(batchMax === undefined ? {} : { batchMax }) })
    this.queue = queue
    const { waiting } = this
    this.waiting = []
    for (const told of waiting) this.write(queue, told)
  }

  private write(queue: WriteQueue, told: Told): void {
    const { clock, standard } = this.options
    const rows = rowsOf(told, uuidV7(told.endedUnixMillis, clock.random), standard)
    for (const statement of rows?.statements ?? []) queue.offer(statement)
  }
}

/** Lets go of what is older; says how many rows. */
export const forget = (store: Store, beforeUnixMillis: number): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    let gone = 0
    for (;;) {
      const old = sql`SELECT id FROM request_logs WHERE started_at < ${beforeUnixMillis} LIMIT ${forgottenPerStatement}`
      const [, rows] = yield* store.batch([
        sql`DELETE FROM request_log_payloads WHERE log_id IN (${old})`,
        sql`DELETE FROM request_logs WHERE id IN (${old})`,
      ])
      gone += rows?.changes ?? 0
      if ((rows?.changes ?? 0) < forgottenPerStatement) return gone
    }
  })
