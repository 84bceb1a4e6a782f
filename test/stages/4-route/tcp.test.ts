import { assert, it } from "@effect/vitest"
import { ListenerKey, TcpRouteKey } from "../../../ir/Key.ts"
import { findTcp, makeTcp } from "../../../stages/4-route/tcp.ts"

const route = (key: string, ...hostnames: ReadonlyArray<string>) => ({
  route: {
    key: TcpRouteKey.make(key),
    listener: ListenerKey.make("listener"),
    name: { name: key, namespace: "default" },
    hostnames,
    backends: [],
  },
  value: key,
})

const table = makeTcp([
  route("any"),
  route("suffix", "*.a.com"),
  route("long", "*.b.a.com"),
  route("name", "x.b.a.com"),
])

it("a server name takes the route that names it, then the longest suffix, then one without hostnames", () => {
  assert.strictEqual(findTcp(table, "x.b.a.com"), "name")
  assert.strictEqual(findTcp(table, "y.b.a.com"), "long")
  assert.strictEqual(findTcp(table, "y.a.com"), "suffix")
  assert.strictEqual(findTcp(table, "b.com"), "any")
})
it("server names are compared without case", () => {
  assert.strictEqual(findTcp(table, "X.B.a.com"), "name")
})
it("without a server name only a route without hostnames is taken", () => {
  assert.strictEqual(findTcp(table, undefined), "any")
  assert.strictEqual(findTcp(makeTcp([route("r", "a.com", "*.com")]), undefined), undefined)
  assert.strictEqual(findTcp(makeTcp([route("r", "a.com")]), ""), undefined)
})
it("of routes for one name the first key is taken, whatever the order", () => {
  const routes = [route("route2", "a.com"), route("route10", "a.com"), route("route3", "a.com")]
  assert.strictEqual(findTcp(makeTcp(routes), "a.com"), "route10")
  assert.strictEqual(findTcp(makeTcp(routes.toReversed()), "a.com"), "route10")
})
it("where nothing takes the name there is no route", () => {
  assert.strictEqual(findTcp(makeTcp([route("r", "a.com")]), "b.com"), undefined)
})
