/** Lets only so many requests pass in a time; says in every reply how many are left. */
import * as Effect from "effect/Effect"
import type { LocalRateLimit } from "../../ir/policy/LocalRateLimit.ts"
import type { Reply, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { type Bucket, type Level, takeFromAll } from "./Buckets.ts"
import type { Gate } from "./Gate.ts"
import { type Layer, slot } from "./order.ts"
import { broken, pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

const exceeded: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "RateLimited" })

const secondsOf = (millis: number): string => String(Math.ceil(millis / 1000))

/** Says what is left of a limit; `isExceeded` also when to come back. */
export const tell = (reply: Reply, maxTokens: number, level: Level, isExceeded: boolean): void => {
  const { headers } = reply
  headers.set("x-ratelimit-limit", String(maxTokens))
  headers.set("x-ratelimit-remaining", String(level.remaining))
  if (level.untilFillMillis === Infinity) {
    // What the upstream said of its own limit does not belong beside ours.
    headers.remove("x-ratelimit-reset")
    return
  }
  const seconds = secondsOf(level.untilFillMillis)
  headers.set("x-ratelimit-reset", seconds)
  if (isExceeded) headers.set("retry-after", seconds)
}

/** The bucket with the least in it; the first of several. */
const tightest = (buckets: ReadonlyArray<Bucket>, wallMillis: number): Bucket => {
  let found = buckets[0] as Bucket
  let least = Infinity
  for (const bucket of buckets) {
    const { remaining } = bucket.level(wallMillis)
    if (remaining >= least) continue
    least = remaining
    found = bucket
  }
  return found
}

/** So that a limit is the same one in every thread and after every change that left it alone. */
const identityOf = (gate: Gate, id: string, index: number, shape: object): bigint =>
  BigInt(`0x${gate.cryptography.sha256(JSON.stringify([id, index, shape])).slice(0, 16)}`)

let namelessCount = 0

const step = (policy: LocalRateLimit, gate: Gate, { clock }: PolicyPorts, layer: Layer): Step<Subject> => {
  const { limits } = policy
  if (limits.some(({ type }) => type === "tokens")) return broken("LocalRateLimit", "nothing here counts tokens yet")
  const id = policy.id ?? `nameless ${++namelessCount}`
  const table = gate.buckets()
  const buckets = limits.map((limit, i) => table.open(identityOf(gate, id, i, limit), limit))
  const own = slot("LocalRateLimit", layer)
  return {
    kind: "LocalRateLimit",
    run: ({ exchange }) => {
      const now = clock.wallMillis()
      const lacking = takeFromAll(buckets, 1, now)
      const shown = lacking ?? (buckets.length === 1 ? (buckets[0] as Bucket) : tightest(buckets, now))
      const level = shown.level(now)
      const isExceeded = lacking !== undefined
      promise(exchange, own, (reply) => tell(reply, shown.shape.maxTokens, level, isExceeded) as undefined)
      return isExceeded ? exceeded : pass
    },
  }
}

export const compile = (policy: LocalRateLimit, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const { gate } = ports
  if (policy.limits.length === 0) return undefined
  if (gate === undefined) return broken("LocalRateLimit", "nothing here counts requests")
  return gate.once(policy, () => step(policy, gate, ports, layer))
}
