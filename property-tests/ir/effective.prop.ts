import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Attachments from "../../ir/attachments.ts"
import type { Attachment } from "../../ir/Attachment.ts"
import type { Backend } from "../../ir/Backend.ts"
import * as effective from "../../ir/effective.ts"
import { Expression } from "../../ir/Expression.ts"
import { AttachmentKey, BackendKey, BindKey, ListenerKey, ServiceKey } from "../../ir/Key.ts"
import type { Listener } from "../../ir/Listener.ts"
import { placement, type PolicyKind } from "../../ir/placement.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Target } from "../../ir/Target.ts"
import { inForce } from "../oracle/effective.ts"
import type { Question } from "../oracle/effective.ts"

// A small world in which most attachments meet: every target is hit, missed by name, or missed by its finer part.

const targets: ReadonlyArray<Target> = [
  { _tag: "Gateway", name: "g", namespace: "n" },
  { _tag: "Gateway", name: "other", namespace: "n" },
  { _tag: "Gateway", name: "g", namespace: "n", port: 80 },
  { _tag: "Gateway", name: "g", namespace: "n", port: 81 },
  { _tag: "Gateway", name: "g", namespace: "n", listener: "l" },
  { _tag: "Gateway", name: "g", namespace: "n", listener: "m" },
  { _tag: "ListenerSet", name: "s", namespace: "n" },
  { _tag: "ListenerSet", name: "s", namespace: "n", section: "x" },
  { _tag: "ListenerSet", name: "s", namespace: "n", section: "l" },
  { _tag: "Service", service: ServiceKey.make("n/svc") },
  { _tag: "Service", service: ServiceKey.make("n/svc"), port: 9000 },
  { _tag: "Service", service: ServiceKey.make("n/svc"), port: 9001 },
  { _tag: "Backend", backend: BackendKey.make("b") },
  { _tag: "Backend", backend: BackendKey.make("b"), section: "p" },
  { _tag: "Backend", backend: BackendKey.make("b"), section: "q" },
  { _tag: "Route", name: "outer", namespace: "n" },
  { _tag: "Route", name: "outer", namespace: "n", kind: "HTTPRoute" },
  { _tag: "Route", name: "outer", namespace: "n", kind: "GRPCRoute" },
  { _tag: "Route", name: "outer", namespace: "n", ruleName: "rule" },
  { _tag: "Route", name: "outer", namespace: "n", ruleName: "rule", kind: "HTTPRoute" },
  { _tag: "Route", name: "inner", namespace: "n" },
  { _tag: "Route", name: "inner", namespace: "n", ruleName: "rule" },
]

const expression = (id: number) => Expression.make(`v${id}`)
const rules = (id: number) => [{ effect: "allow" as const, expression: expression(id) }]

/** What settles policies looks at their kinds only; the content tells one from another. */
const ofKinds = (stands: (row: (typeof placement)[PolicyKind]) => boolean) =>
  Object.entries(placement)
    .filter(([kind, row]) => stands(row) && kind !== "Ai")
    .map(([kind]) => (id: number): unknown => ({ _tag: kind, rules: rules(id) }))

const traffic: ReadonlyArray<(id: number) => TrafficPolicy> = [
  ...(ofKinds(({ phases }) => phases.length > 0) as ReadonlyArray<(id: number) => TrafficPolicy>),
  (id) => ({
    _tag: "Conditional",
    entries: [{ condition: expression(id), policy: { _tag: "Csrf", additionalOrigins: [] } }],
  }),
  (id) => ({ _tag: "Csrf", additionalOrigins: [String(id)] }),
  (id) => ({ _tag: "Ai", modelAliases: { a: String(id) } }),
]
const backend: ReadonlyArray<(id: number) => BackendPolicy> = [
  ...(ofKinds((row) => row.backend) as ReadonlyArray<(id: number) => BackendPolicy>),
  (id) => ({ _tag: "Ai", modelAliases: { a: String(id) } }),
  (id) => ({ _tag: "Ai", defaults: { a: id }, routes: { "*": "detect" } }),
  (id) => ({ _tag: "Ai", defaults: { b: id }, overrides: { c: id } }),
]
const frontend = ofKinds((row) => row.frontend !== undefined) as ReadonlyArray<(id: number) => FrontendPolicy>

it("every kind of policy is among them", () => {
  const kinds = new Set([...traffic, ...backend, ...frontend].map((make) => make(0)._tag as string))
  kinds.delete("Conditional")
  assert.deepStrictEqual([...kinds].toSorted(), Object.keys(placement).toSorted())
})

const index = (length: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: length - 1 }))
const at = <A>(list: ReadonlyArray<A>, i: number): A => {
  const found = list[i % list.length]
  if (found === undefined) throw new Error("empty list")
  return found
}

const Described = Schema.Struct({
  target: index(targets.length),
  override: Schema.Boolean,
  family: Schema.Literals(["frontend", "gateway", "route", "backend"]),
  kind: index(6),
})
type Described = typeof Described.Type

const described = Arbitrary.array(Arbitrary.schema(Described), { maxLength: 24 })
const inlineKinds = Arbitrary.array(Arbitrary.schema(index(6)), { maxLength: 4 })

/** Few kinds at a time, so that many are attached more than once; which, is different in every run. */
const policyOf = ({ family, kind: nth }: Described, id: number, from: number): Attachment["policy"] => {
  const kind = from + nth
  switch (family) {
    case "frontend":
      return { _tag: "Frontend", policy: at(frontend, kind)(id) }
    case "backend":
      return { _tag: "Backend", policy: at(backend, kind)(id) }
    default:
      return { _tag: "Traffic", phase: family, policy: at(traffic, kind)(id) }
  }
}

/** Keys run against the order of arrival, or an index that kept that order would pass for one that sorts. */
const attach = (list: ReadonlyArray<Described>, from: number): ReadonlyArray<Attachment> =>
  list.map((one, i) => ({
    key: AttachmentKey.make(`k${String((i * 7919) % 1009).padStart(4, "0")}`),
    target: at(targets, one.target),
    inheritance: one.override ? "override" : "default",
    policy: policyOf(one, i, from),
  }))

const listener = (set: boolean): Listener => ({
  key: ListenerKey.make("listener"),
  bind: BindKey.make("bind/80"),
  name: {
    gatewayName: "g",
    gatewayNamespace: "n",
    listenerName: "l",
    ...(set ? { listenerSet: { name: "s", namespace: "n", section: "x" } } : {}),
  },
  hostname: "*",
  protocol: "HTTP",
})

const World = Schema.Struct({
  set: Schema.Boolean,
  service: Schema.Boolean,
  section: Schema.Boolean,
  inner: Schema.Boolean,
  /** The first of the kinds that are attached. */
  from: index(64),
})

const questions = (world: typeof World.Type, inline: ReadonlyArray<number>): ReadonlyArray<Question> => {
  const place = { listener: listener(world.set), port: 80 }
  const service = world.service ? { key: ServiceKey.make("n/svc"), port: 9000 } : undefined
  const own = (first: number) => inline.map((kind, i) => at(traffic, world.from + kind)(1000 + first + i))
  const outer = { name: { name: "outer", namespace: "n", ruleName: "rule", kind: "HTTPRoute" }, policies: own(0) }
  const inner = { name: { name: "inner", namespace: "n" }, policies: own(100).toReversed() }
  const routes = world.inner ? [outer, inner] : [outer]
  const theBackend: Backend = {
    _tag: "Dynamic",
    key: BackendKey.make("b"),
    policies: inline.map((kind, i) => at(backend, world.from + kind)(2000 + i)),
  }
  const refPolicies = inline.slice(0, 2).map((kind, i) => at(backend, world.from + kind + 1)(3000 + i))
  return [
    { _tag: "connection", gateway: { name: "g", namespace: "n" }, port: 80 },
    { _tag: "request", place: { ...place, service } },
    { _tag: "gateway", place },
    { _tag: "route", place: { ...place, service, routes } },
    { _tag: "backend", place: { ...place, service, routes, refPolicies } },
    {
      _tag: "backend",
      place: { ...place, backend: theBackend, section: world.section ? "p" : undefined, routes, refPolicies },
    },
    { _tag: "backend", place: { backend: theBackend, routes: [], refPolicies } },
  ]
}

const ask = (index: Attachments.Attachments, question: Question) => {
  switch (question._tag) {
    case "connection":
      return effective.frontendPolicies(index, question.gateway, question.port)
    case "request":
      return effective.requestFrontendPolicies(index, question.place)
    case "gateway":
      return effective.gatewayPolicies(index, question.place)
    case "route":
      return effective.routePolicies(index, question.place)
    case "backend":
      return effective.backendPolicies(index, question.place)
  }
}

const options = { arbitrary: { runs: 400 } }

it.prop(
  "the policies in force are those the definition gives",
  { list: described, world: World, inline: inlineKinds },
  ({ inline, list, world }) => {
    const attachments = attach(list, world.from)
    const indexed = Attachments.make(attachments)
    for (const question of questions(world, inline)) {
      assert.deepStrictEqual<unknown>(ask(indexed, question), inForce(attachments, question), question._tag)
    }
  },
  options,
)

it.prop(
  "the order in which attachments arrive never shows",
  { list: described, world: World, seed: index(1000) },
  ({ list, seed, world }) => {
    const attachments = attach(list, world.from)
    const shuffled = attachments.toSorted((a, b) => scramble(a.key, seed) - scramble(b.key, seed))
    const whole = Attachments.make(attachments)
    let grown = Attachments.make([])
    for (const attachment of shuffled) grown = Attachments.update(grown, [], [attachment])
    for (const question of questions(world, [])) {
      assert.deepStrictEqual<unknown>(ask(grown, question), ask(whole, question))
      assert.deepStrictEqual<unknown>(ask(Attachments.make(shuffled), question), ask(whole, question))
    }
  },
  options,
)

const scramble = (key: string, seed: number): number => (Number(key.slice(1)) * 31 + seed * 17) % 101

it.prop(
  "removing an attachment restores what was",
  { list: described, added: Described, world: World },
  ({ added, list, world }) => {
    const [more] = attach([added], world.from).map((one) => ({ ...one, key: AttachmentKey.make("added") }))
    if (more === undefined) return
    const before = Attachments.make(attach(list, world.from))
    const grown = Attachments.update(before, [], [more])
    const after = Attachments.update(grown, [more], [])
    assert.deepStrictEqual(after, before)
    for (const question of questions(world, [])) {
      const was = ask(before, question)
      assert.isTrue(effective.same(ask(after, question), was))
      assert.deepStrictEqual<unknown>(ask(grown, question), inForce([...attach(list, world.from), more], question))
    }
  },
  options,
)

it.prop(
  "an override above beats anything below",
  { list: described, world: World, inline: inlineKinds, kind: index(6) },
  ({ inline, kind, list, world }) => {
    // On the whole gateway nothing stands above; other overrides there would be ties.
    const below = attach(list, world.from).filter(
      ({ target }) => target._tag !== "Gateway" || target.port !== undefined,
    )
    for (const family of ["gateway", "route", "backend", "frontend"] as const) {
      const policy = policyOf({ family, kind, override: true, target: 0 }, 7777, world.from)
      const above: Attachment = {
        key: AttachmentKey.make("zzz"),
        target: at(targets, 0),
        inheritance: "override",
        policy,
      }
      const indexed = Attachments.make([...below, above])
      for (const question of questions(world, inline)) {
        const concerned =
          family === "frontend"
            ? question._tag === "connection" || question._tag === "request"
            : question._tag === family && (question._tag !== "backend" || question.place.listener !== undefined)
        if (!concerned) continue
        const inForceNow: Record<string, unknown> = { ...ask(indexed, question) }
        const set = policy.policy
        const found = inForceNow[set._tag === "Conditional" ? set.entries[0].policy._tag : set._tag]
        if (Array.isArray(found)) assert.deepStrictEqual<unknown>(found, [set])
        else
          for (const [field, value] of Object.entries(set))
            assert.deepStrictEqual(Reflect.get(Object(found), field), value)
      }
    }
  },
  options,
)
