import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { ListenerKey, TcpRouteKey } from "../../../ir/Key.ts"
import { compareText } from "../../../stages/4-route/Entry.ts"
import { better, closeness, findHost, makeHosts } from "../../../stages/4-route/host.ts"
import { findTcp, makeTcp } from "../../../stages/4-route/tcp.ts"
import { patternsFor } from "../../oracle/route.ts"
import { hostnames, oneOf, someOf } from "./requests.ts"

const host = oneOf("a.b.c", "x.b.c", "b.c", "y.x.b.c", "c", "d.c", "d", "", ".b.c", "x.a.b.c", "z.x.a.b.c")
const options = { arbitrary: { runs: 1000, size: 30 } }

it.prop(
  "the closest hostname is found: the name itself, the longest suffix, any",
  { known: someOf(oneOf(...hostnames, ""), 8), host },
  ({ known, host }) => {
    const hosts = makeHosts(known.map((hostname, i) => ({ hostname, value: i })))
    const expected = patternsFor(host)
      .map((pattern) => known.findIndex((hostname) => (hostname || "*") === pattern))
      .find((at) => at !== -1)
    assert.strictEqual(findHost(hosts, host), expected)
  },
  options,
)

it.prop(
  "another hostname is better exactly when it comes earlier among the patterns of the host",
  { known: someOf(oneOf(...hostnames), 8), fixed: oneOf(...hostnames), host },
  ({ known, fixed, host }) => {
    const hosts = makeHosts(known.map((hostname) => ({ hostname, value: hostname })))
    const order = patternsFor(host)
    const place = (pattern: string): number => (order.includes(pattern) ? order.indexOf(pattern) : order.length)
    assert.strictEqual(
      better(hosts, host, fixed),
      known.some((pattern) => place(pattern) < place(fixed)),
    )
    assert.strictEqual(closeness(fixed, host) >= 0, order.includes(fixed))
  },
  options,
)

it.prop(
  "a raw connection takes the closest hostname, of those the first key, in whatever order routes are given",
  {
    routes: Arbitrary.array(
      Arbitrary.all({
        key: oneOf("r1", "r10", "r2", "R", "\ufb01", "\u{1f600}"),
        hostnames: someOf(oneOf(...hostnames), 2),
      }),
      { maxLength: 6 },
    ),
    host,
  },
  ({ routes, host }) => {
    const kept = [...new Map(routes.map((route) => [route.key, route])).values()]
    const candidates = kept.map(({ key, hostnames }) => ({
      route: {
        key: TcpRouteKey.make(key),
        listener: ListenerKey.make("l"),
        name: { name: key, namespace: "" },
        hostnames,
        backends: [],
      },
      value: key as string,
    }))
    const expected = patternsFor(host)
      .map((pattern) =>
        kept
          .filter(({ hostnames }) =>
            hostnames.length === 0 ? pattern === "*" : hostnames.some((hostname) => hostname === pattern),
          )
          .map(({ key }) => key)
          .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          .at(0),
      )
      .find((key) => key !== undefined)
    assert.strictEqual(findTcp(makeTcp(candidates), host), expected)
    assert.strictEqual(findTcp(makeTcp(candidates.toReversed()), host.toUpperCase()), expected)
  },
  options,
)

const text = Schema.String.check(Schema.isPattern(/^[^\ud800-\udfff]*$/)).pipe(Arbitrary.schema)
it.prop(
  "texts are ordered as their bytes are",
  {
    a: someOf(oneOf("a", "é", "\ud7ff", "\ufb01", "\u{1f600}", "\u{10ffff}"), 3),
    b: someOf(oneOf("a", "é", "\ud7ff", "\ufb01", "\u{1f600}", "\u{10ffff}"), 3),
    c: text,
  },
  ({ a, b, c }) => {
    for (const [left, right] of [
      [a.join(""), b.join("")],
      [a.join(""), c],
    ] as const)
      assert.strictEqual(Math.sign(compareText(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)))
  },
  options,
)
