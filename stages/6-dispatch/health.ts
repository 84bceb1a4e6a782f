/** How an endpoint is doing, and when it is put aside for a while. */
import { defaults } from "../../ir/defaults.ts"
import type { Eviction } from "../../ir/policy/Health.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import type { Headers } from "../../protocols/http/headers.ts"

/** The weight of the newest observation in the running averages. */
const ALPHA = 0.3

/** How far evictions may grow; a duration that was asked for beyond this stays as it is, but does not grow. */
export const EVICTION_MILLIS_MAX = 300_000

/** The part of an eviction that is drawn, so that what failed together does not come back together. */
export const EVICTION_JITTER = 0.1

/** What is remembered of one endpoint, across reloads as long as the endpoint is the same. */
export class Vitals {
  /** Between 0 and 1. */
  health = 1
  latencySeconds = 0
  /** Requests that are under way. */
  pending = 0
  /** Failures in a row. */
  failures = 0
  /** Evictions since the last success. */
  evictions = 0
  /** 0 while it is not evicted. */
  evictedUntilMillis = 0
  /** Whoever asks it how it is finds it down: it stays away until that has changed. */
  isDown = false
  private isMeasured = false
  private restoreHealth: number | undefined = undefined

  /** Whether it takes part in the ordinary choice; one whose time is over comes back here. */
  isActive(nowMillis: number): boolean {
    if (this.isDown) return false
    if (this.evictedUntilMillis === 0) return true
    if (nowMillis < this.evictedUntilMillis) return false
    this.evictedUntilMillis = 0
    this.failures = 0
    if (this.restoreHealth !== undefined) this.health = this.restoreHealth
    return true
  }

  get score(): number {
    return this.health / (1 + this.latencySeconds * (1 + 0.1 * this.pending))
  }

  measured(millis: number): void {
    const seconds = Math.max(0, millis) / 1000
    this.latencySeconds = this.isMeasured ? this.latencySeconds + ALPHA * (seconds - this.latencySeconds) : seconds
    this.isMeasured = true
  }

  /** Whatever went wrong is forgotten. */
  restore(): void {
    this.health = 1
    this.failures = 0
    this.evictions = 0
    this.evictedUntilMillis = 0
    this.isDown = false
  }

  /** It was down and is not any more; what requests made of it is as it was when its time away is over. */
  returned(): void {
    this.isDown = false
    this.failures = 0
    this.evictions = 0
    this.evictedUntilMillis = 0
    this.health = this.restoreHealth ?? 1
  }

  succeeded(): void {
    this.health += ALPHA * (1 - this.health)
    this.failures = 0
    this.evictions = 0
  }

  failed(eviction: Eviction | undefined, circumstances: Circumstances): void {
    // Who comes back by now comes back first, and is then judged anew.
    const isActive = this.isActive(circumstances.nowMillis)
    const before = this.health
    this.health -= ALPHA * this.health
    this.failures++
    if (eviction === undefined || !isActive) return
    if (!isTooMuch(eviction, this.failures, before)) return
    this.evictedUntilMillis = circumstances.nowMillis + evictionMillis(eviction, this.evictions, circumstances)
    this.evictions++
    this.restoreHealth = eviction.restoreHealth
  }
}

/** What else says how long an endpoint stays away. */
export interface Circumstances {
  readonly nowMillis: number
  /** A number in [0, 1). */
  readonly drawn: number
  /** How long the endpoint itself asked to be left alone. */
  readonly hintMillis: number | undefined
  /** The pause between tries, where there are any. */
  readonly backoffMillis: number | undefined
}

/** Without a threshold the first failure is too much; of two, either will do. */
const isTooMuch = (
  { consecutiveFailures, healthThreshold }: Eviction,
  failures: number,
  healthBefore: number,
): boolean =>
  consecutiveFailures === undefined && healthThreshold === undefined
    ? true
    : (consecutiveFailures !== undefined && failures >= consecutiveFailures) ||
      (healthThreshold !== undefined && healthBefore < healthThreshold)

/** Longer with every eviction since the last success, up to a limit. */
export const evictionMillis = (
  eviction: Eviction,
  evictions: number,
  { backoffMillis, drawn, hintMillis }: Circumstances,
): number => {
  const base = eviction.durationMillis ?? hintMillis ?? backoffMillis ?? defaults.evictionMillis
  const grown = Math.min(base * (evictions + 1), Math.max(base, EVICTION_MILLIS_MAX))
  return grown * (1 + EVICTION_JITTER * drawn)
}

/** What a reply says about its endpoint; a gRPC reply may say it only at its end. */
export type Judgement = "healthy" | "unhealthy" | "later"

export const judge = (status: number, headers: Headers): Judgement => {
  if (status >= 500) return "unhealthy"
  if (!isGrpc(headers.get("content-type"))) return "healthy"
  const code = headers.get("grpc-status")
  return code === undefined ? "later" : judgeGrpc(code)
}

export const judgeGrpc = (code: string | undefined): "healthy" | "unhealthy" =>
  code === undefined || code.trim() === "0" ? "healthy" : "unhealthy"
