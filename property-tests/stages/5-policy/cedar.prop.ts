import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Json } from "effect/Schema"
import { cedar as engine } from "../../../src/node/cedar.ts"
import type { Identity } from "../../../stages/Identity.ts"
import type { CedarValue, Judgement } from "../../../stages/ports/Cedar.ts"
import { type Caller, compile, parseUid, principalOf, toCedar } from "../../../stages/5-policy/cedar.ts"
import { Facts } from "../../../stages/5-policy/expression/Facts.ts"
import { computing } from "../../../test/stages/5-policy/computing.ts"
import { makeExchange } from "../../../test/stages/exchange.ts"

const name = fc.oneof(
  fc.constantFrom("sub", "groups", "roles", "level", "__entity", "__extn", "__proto__", "toString", "constructor", ""),
  fc.string({ maxLength: 4 }),
)
const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>("ann", "admins", 3, -0, 1.5, 1e300, Number.MAX_SAFE_INTEGER, null, true, ""),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const json: fc.Arbitrary<Json> = fc.letrec<{ readonly json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie("json"), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie("json")), { maxLength: 3 }).map((pairs) => JSON.parse(written(pairs)) as Json),
  ),
})).json

/** As it comes off the wire, where any text names a member. */
const written = (pairs: ReadonlyArray<readonly [string, Json]>): string =>
  `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`

const claims = fc
  .record({ sub: json, groups: json, roles: json, level: json, more: json }, { requiredKeys: [] })
  .map((all) => JSON.parse(written(Object.entries(all))) as Record<string, Json>)

const identity: fc.Arbitrary<Identity | undefined> = fc.option(
  claims.map((jwt): Identity => ({ jwt })),
  { nil: undefined },
)

/** By definition: what Cedar has no word for is left out, and all else keeps its place. */
const inCedar = (value: Json): CedarValue | undefined => {
  if (value === null) return undefined
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    return Math.abs(value) < 1e14 ? { __extn: { fn: "decimal", arg: value.toFixed(4) } } : undefined
  }
  if (typeof value !== "object") return value
  if (Array.isArray(value)) {
    return (value as ReadonlyArray<Json>).map(inCedar).filter((one) => one !== undefined)
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => {
      const converted = ["__entity", "__extn", "__expr"].includes(key) ? undefined : inCedar(one as Json)
      return converted === undefined ? [] : [[key, converted]]
    }),
  )
}

const judge = (policies: string, caller: Caller): boolean => {
  const ports = computing()
  const facts = Facts.of(ports.expressions.around, makeExchange())
  return compile({ policies, entities: [], context: [] }, engine, ports.expressions, "route")(facts, caller)
}

describe("what Cedar is told", () => {
  it("is what a claim says, as far as Cedar has words for it, and never a reference or a call", () => {
    fc.assert(
      fc.property(json, (value) => assert.deepStrictEqual(toCedar(value), inCedar(value))),
      { numRuns: 2000 },
    )
  })

  it("of a caller is a principal, whatever its claims are", () => {
    fc.assert(
      fc.property(identity, (identity) => {
        const { parents, uid } = principalOf({ identity, client: undefined })
        assert.isString(uid.id)
        if (identity?.jwt !== undefined && typeof identity.jwt["sub"] !== "string") {
          assert.match(uid.id, /^(?:-?[\d.]+(?:e[+-]\d+)?)?$/)
        }
        for (const { id, type } of parents) {
          assert.include(["Group", "Role"], type)
          const { groups, roles } = identity?.jwt ?? {}
          assert.isTrue([groups, roles].flat().includes(id))
        }
      }),
      { numRuns: 1000 },
    )
  })

  it("as the name of an entity is read back as it was written, and anything else is no name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (id, text) => {
        assert.deepStrictEqual(parseUid(`Team::Sub::${JSON.stringify(id)}`), { type: "Team::Sub", id })
        parseUid(text)
        parseUid(`A::${text}`)
        parseUid(`A::"${text}"`)
      }),
      { numRuns: 1000 },
    )
  })
})

describe("the judgement of Cedar", () => {
  it("is made for any claims: all pass where all may, nobody where nobody may", () => {
    fc.assert(
      fc.property(identity, (identity) => {
        const caller = { identity, client: undefined }
        // What cannot be told to the engine at all is refused, even by a policy that lets everybody pass.
        const isTold = engine.set("permit(principal, action, resource);", []).judge({
          principal: principalOf(caller).uid,
          action: { type: "Action", id: "GET" },
          resource: { type: "Path", id: "/" },
          context: {},
          entities: [principalOf(caller)],
        })
        assert.strictEqual(judge("permit(principal, action, resource);", caller), typeof isTold !== "string")
        assert.isFalse(judge('permit(principal == User::"nobody at all", action, resource);', caller))
        assert.isFalse(
          judge("permit(principal, action, resource); forbid(principal, action, resource);", caller),
          "what forbids comes before what permits",
        )
      }),
      { numRuns: 60 },
    )
  })

  it("lets nobody pass for claims too deep to be told, and fails for none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 12_000 }), fc.boolean(), (depth, isList) => {
        const [open, close] = isList ? ["[", "]"] : ['{"a":', "}"]
        const deep = JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`) as Json
        const caller = { identity: { jwt: { sub: "ann", deep } }, client: undefined }
        assert.isFalse(judge("permit(principal, action, resource);", caller))
      }),
      { numRuns: 20 },
    )
  })

  it("lets pass only what the engine allows without a policy that forbids having failed", () => {
    const judgement: fc.Arbitrary<Judgement | string> = fc.oneof(
      fc.string(),
      fc.record({
        isAllowed: fc.boolean(),
        failed: fc.array(fc.record({ policy: fc.string(), isForbidding: fc.boolean(), why: fc.string() })),
      }),
    )
    const ports = computing()
    const facts = Facts.of(ports.expressions.around, makeExchange())
    fc.assert(
      fc.property(judgement, (said) => {
        const made = compile(
          { policies: "permit(principal, action, resource);", entities: [], context: [] },
          { set: () => ({ judge: () => said }) },
          ports.expressions,
          "route",
        )
        const passes = made(facts, { identity: undefined, client: undefined })
        assert.strictEqual(
          passes,
          typeof said !== "string" && said.isAllowed && said.failed.every(({ isForbidding }) => !isForbidding),
        )
      }),
    )
  })
})
