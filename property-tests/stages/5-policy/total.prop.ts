/**
 * Whatever a client, a service or a provider says, every step passes, answers or refuses, and every promised edit leaves a
 * reply that can be written: none of them fails in a way that nobody thought of, and none waits for ever.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as fc from "fast-check"
import type { BackendPolicies, TrafficPolicies } from "../../../ir/effective.ts"
import * as Body from "../../../stages/Body.ts"
import type { Routed } from "../../../stages/Exchange.ts"
import { layer } from "../../../stages/5-policy/layer.ts"
import { type Layer, requestOrder } from "../../../stages/5-policy/order.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { backendSteps, gatewaySteps, type PolicyPorts, routeSteps } from "../../../stages/5-policy/steps.ts"
import { flowOf, makeAttempt, makeExchange, makeReply } from "../../../test/stages/exchange.ts"
import { type Answered, answered, bytes, called, fields } from "./answers.ts"
import { type Asked, asked, toldOf } from "./askers.ts"
import { shapes } from "./policies.ts"
import { portsFor } from "./portsFor.ts"

const seen = (
  ports: PolicyPorts,
  at: Layer,
  kind: string,
  policy: unknown,
  { answer, asked, reply }: Case,
): Effect.Effect<unknown> => {
  const policies = { [kind]: policy }
  const exchange = makeExchange(toldOf(asked))
  Object.assign(exchange, { plan: { ...exchange.plan, callees: { to: () => called(answer) } } })
  const replied = makeReply({ ...reply, headers: Object.fromEntries(reply.fields), body: flowOf([reply.bytes]) })
  const inner = Effect.succeed(replied)
  const served =
    at === "backend"
      ? layer(backendSteps(ports, policies as BackendPolicies), () => inner)(makeAttempt(exchange))
      : layer<Routed>(
          (at === "gateway" ? gatewaySteps : routeSteps)(ports, policies as TrafficPolicies),
          () => inner,
        )(exchange)
  return Effect.flatMap(Effect.result(served), (result) => {
    const last = result._tag === "Success" ? result.success : makeReply({ origin: "gateway", status: 500 })
    return Effect.map(settle(exchange, last) ?? Effect.void, () => {
      assert.isTrue(Number.isInteger(last.status) && last.status >= 100 && last.status <= 599, String(last.status))
      for (const [name, value] of last.headers) {
        assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/)
        assert.notMatch(value, /[\r\n\0]/)
      }
      Body.discard(last.body)
      Body.discard(exchange.request.body)
    })
  })
}

/** More than once, since limits and caches remember. */
const several = (at: Layer, kind: string, policy: unknown, one: Case): Effect.Effect<unknown> => {
  const ports = portsFor(one.answer)
  return Effect.forEach([1, 2, 3], () => seen(ports, at, kind, policy, one), { discard: true })
}

interface Case {
  readonly answer: Answered
  readonly asked: Asked
  readonly reply: {
    readonly status: number
    readonly origin: "upstream" | "gateway"
    readonly fields: Answered["fields"]
    readonly bytes: Uint8Array
  }
}
const cases: fc.Arbitrary<Case> = fc.record({
  answer: answered,
  asked,
  reply: fc.record({
    status: fc.constantFrom(200, 204, 304, 404, 500),
    origin: fc.constantFrom("upstream" as const, "gateway" as const),
    fields,
    bytes,
  }),
})

const stands = (at: Layer, kind: string): boolean =>
  requestOrder[at].some((line) => line.kind === kind && line.by === "step")
const layers: ReadonlyArray<Layer> = ["gateway", "route", "backend"]

describe("every kind of step comes to an end that was thought of", () => {
  it("and every kind is in this table", () => {
    const kinds = layers.flatMap((at) => requestOrder[at].flatMap(({ by, kind }) => (by === "step" ? [kind] : [])))
    assert.deepStrictEqual([...new Set(kinds)].toSorted(), Object.keys(shapes).toSorted() as never)
  })

  it.each(Object.keys(shapes) as ReadonlyArray<keyof typeof shapes>)("%s", async (kind) => {
    const where = layers.filter((at) => stands(at, kind))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...where),
        shapes[kind] as fc.Arbitrary<unknown>,
        cases,
        async (at, policy, one) => {
          const exit = await Effect.runPromise(
            Effect.provideService(
              Effect.exit(Effect.timeout(several(at, kind, policy, one), 20_000)),
              References.MinimumLogLevel,
              "None",
            ),
          )
          if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
        },
      ),
      { numRuns: 150 },
    )
  })
})
