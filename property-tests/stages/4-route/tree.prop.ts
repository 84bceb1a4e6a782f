import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { RouteKey } from "../../../ir/Key.ts"
import type { Route } from "../../../ir/Route.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { whyNot } from "../../../stages/4-route/explain.ts"
import * as Radix from "../../../stages/4-route/Radix.ts"
import { change, find, make, type RouteRequest, type RouteTree } from "../../../stages/4-route/tree.ts"
import { choose, matches, patternsFor } from "../../oracle/route.ts"
import { crowd, request, requests, routes, unique } from "./requests.ts"

const candidates = (routes: ReadonlyArray<Route>) => routes.map((route) => ({ route, value: route.key as string }))

const agrees = (tree: RouteTree<string>, routes: ReadonlyArray<Route>, request: RouteRequest): boolean => {
  const expected = choose(routes, request)
  const found = find(tree, request)
  assert.strictEqual(found?.route, expected?.route)
  assert.strictEqual(found?.match, expected?.match)
  assert.strictEqual(found?.host, expected?.host)
  assert.strictEqual(found?.value, expected?.route.key)
  return true
}

/** A tree without its identity: nothing may be left behind when all routes are gone. */
const shape = <A>(tree: RouteTree<A>): ReadonlyArray<number> => [
  Radix.children(tree.hosts).length,
  Radix.children(tree.routes).length,
]

const index = Arbitrary.schema(Schema.Literals([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]))

const blank = { scheme: "http", authority: "", headers: new Headers(["x", "1"]), upgrade: undefined }

const options = { arbitrary: { runs: 1500, size: 40 } }

for (const [name, world] of [
  ["spread over hosts and paths", routes],
  ["crowded on one path", crowd],
] as const)
  describe(`routes ${name}`, () => {
    it.prop(
      "the tree finds what a scan by definition finds",
      { routes: world, requests },
      ({ routes, requests }) => {
        const kept = unique(routes)
        const tree = make(candidates(routes))
        for (const request of requests) agrees(tree, kept, request)
      },
      options,
    )

    it.prop(
      "the order in which routes are given does not matter",
      { routes: world, requests },
      ({ routes, requests }) => {
        const kept = unique(routes)
        const tree = make(candidates(kept.toReversed()))
        for (const request of requests) agrees(tree, kept, request)
      },
      options,
    )

    it.prop(
      "changing a tree gives what building it anew gives, and leaves the old one as it was",
      { before: world, added: world, removedAt: Arbitrary.array(index, { maxLength: 12 }), requests },
      ({ before, added, removedAt, requests }) => {
        const old = unique(before)
        const tree = make(candidates(old))
        const remove = removedAt.flatMap((at): ReadonlyArray<RouteKey> => {
          const route = old[at % (old.length || 1)]
          return route === undefined ? [] : [route.key]
        })
        const changed = change(tree, { remove, add: candidates(added) })
        const rest = old.filter((route) => !remove.includes(route.key))
        const now = unique([...rest, ...added])
        for (const request of requests) {
          agrees(changed, now, request)
          agrees(tree, old, request)
        }
        assert.deepStrictEqual(
          shape(change(changed, { remove: now.map((route) => route.key), add: [] })),
          shape(make<string>([])),
        )
      },
      options,
    )

    it.prop(
      "an explanation ends in the same choice and accuses only what does not match",
      { routes: world, request },
      ({ routes, request }) => {
        const kept = unique(routes)
        const tried = whyNot(candidates(kept), request)
        const chosen = tried.filter((one) => one.isChosen)
        const expected = choose(kept, request)
        assert.strictEqual(chosen.length, expected === undefined ? 0 : 1)
        assert.strictEqual(chosen[0]?.match, expected?.match)
        assert.strictEqual(chosen[0]?.host, expected?.host)
        assert.strictEqual(
          tried.find((one) => one.reason === undefined),
          chosen[0],
        )
        for (const { match, host, reason } of tried)
          assert.strictEqual(
            reason === undefined,
            match !== undefined && patternsFor(request.host).includes(host) && matches(match, request),
          )
        const pairs = kept.map(
          ({ hostnames, matches }) => matches.length * (new Set(hostnames).size || 1) || Number(matches.length === 0),
        )
        assert.strictEqual(
          tried.length,
          pairs.reduce((sum, count) => sum + count, 0),
        )
      },
      options,
    )
  })

it.prop(
  "a choice is made, or none, whatever text the request is made of",
  { routes, path: Schema.String, host: Schema.String, query: Schema.String, method: Schema.String },
  ({ routes, path, host, query, method }) => {
    const tree = make(candidates(routes))
    const found = find(tree, { ...blank, method, host, path, query })
    assert.isTrue(found === undefined || routes.includes(found.route))
  },
  options,
)
