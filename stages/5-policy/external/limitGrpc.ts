/** Asking `envoy.service.ratelimit.v3.RateLimitService`. Loaded only where it is asked. */
import { create } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponse_Code as LimitCode,
  RateLimitService,
  RateLimitUnit,
} from "../../../protocols/grpc/generated/envoy_rate_limit_pb.ts"
import { methodOf } from "../../../protocols/grpc/method.ts"
import { Code } from "../../../protocols/grpc/status.ts"
import { type CallFailed, callFailed, type Transport } from "../../grpc/Transport.ts"
import { unary } from "../../grpc/unary.ts"
import type { Clock } from "../../ports/Timer.ts"
import { plainChangesOf } from "./envoy.ts"
import { complaintOf, type Mutation } from "./mutation.ts"

/** What is counted, computed for one request. */
export interface Descriptor {
  readonly entries: ReadonlyArray<{ readonly key: string; readonly value: string }>
  /** How much it counts; undefined: as much as the service thinks, which is 1. */
  readonly hits: number | undefined
  readonly override: { readonly unit: Unit; readonly requestsPerUnit: number } | undefined
}

export type Unit = "second" | "minute" | "hour" | "day" | "month" | "year"

const units: Readonly<Record<Unit, RateLimitUnit>> = {
  second: RateLimitUnit.SECOND,
  minute: RateLimitUnit.MINUTE,
  hour: RateLimitUnit.HOUR,
  day: RateLimitUnit.DAY,
  month: RateLimitUnit.MONTH,
  year: RateLimitUnit.YEAR,
}

export interface Verdict {
  readonly isOver: boolean
  /** Of all limits that apply, the one that leaves least. */
  readonly tightest:
    | { readonly limit: number; readonly remaining: number; readonly resetSeconds: number | undefined }
    | undefined
  readonly request: Mutation
  readonly reply: Mutation
  /** For the client, where it is refused. */
  readonly body: Uint8Array
}

const method = methodOf(RateLimitService.method.shouldRateLimit)

const tightestOf = ({ statuses }: RateLimitResponse): Verdict["tightest"] => {
  let found: Verdict["tightest"]
  for (const { currentLimit, durationUntilReset, limitRemaining } of statuses) {
    if (currentLimit === undefined || (found !== undefined && limitRemaining >= found.remaining)) continue
    const resetSeconds =
      durationUntilReset === undefined
        ? undefined
        : Math.max(0, Number(durationUntilReset.seconds) + (durationUntilReset.nanos > 0 ? 1 : 0))
    found = { limit: currentLimit.requestsPerUnit, remaining: limitRemaining, resetSeconds }
  }
  return found
}

/** What an answer means; a text says why it cannot have been meant. */
export const verdictOf = (response: RateLimitResponse): Verdict | string => {
  const { overallCode, rawBody, requestHeadersToAdd, responseHeadersToAdd } = response
  if (overallCode !== LimitCode.OK && overallCode !== LimitCode.OVER_LIMIT)
    return `it answers with the code ${overallCode}`
  const isOver = overallCode === LimitCode.OVER_LIMIT
  const request = { remove: [], set: isOver ? [] : plainChangesOf(requestHeadersToAdd, "set") }
  const reply = { remove: [], set: plainChangesOf(responseHeadersToAdd, "set") }
  const problem = complaintOf(request) ?? complaintOf(reply)
  if (problem !== undefined && !isOver) return problem
  return {
    isOver,
    tightest: tightestOf(response),
    request,
    // A refusal stands, whatever is wrong with its wording.
    reply: problem === undefined ? reply : { remove: [], set: [] },
    body: rawBody,
  }
}

/** Counts that the wire can carry. */
const COUNT_MAX = 0xffff_ffff

export const ask = (
  transport: Transport,
  domain: string,
  descriptors: ReadonlyArray<Descriptor>,
  clock: Clock,
  timeoutMillis: number,
): Effect.Effect<Verdict, CallFailed> => {
  const message = create(RateLimitRequestSchema, {
    domain,
    descriptors: descriptors.map(({ entries, hits, override }) => ({
      entries: [...entries],
      ...(hits === undefined ? {} : { hitsAddend: BigInt(hits) }),
      ...(override === undefined
        ? {}
        : {
            limit: {
              unit: units[override.unit],
              requestsPerUnit: Math.min(override.requestsPerUnit, COUNT_MAX),
            },
          }),
    })),
  })
  return Effect.flatMap(unary(transport, method, message, { clock, timeoutMillis }), (response) => {
    const verdict = verdictOf(response)
    return typeof verdict === "string" ? Effect.fail(callFailed(Code.INTERNAL, verdict)) : Effect.succeed(verdict)
  })
}
