import { assert, describe, it } from "@effect/vitest"
import { RouteKey } from "../../../ir/Key.ts"
import { any } from "../../../ir/Match.ts"
import { textLengthMax } from "../../../stages/4-route/Regex.ts"
import { change, find, make, valueOf, type Candidate, type RouteRequest } from "../../../stages/4-route/tree.ts"
import { exact, get, like, match, named, prefix, regex, route } from "./routes.ts"

/** The key of the route that takes the request, whichever way round the routes are given. */
const taken = (routes: ReadonlyArray<Candidate<string>>, request: RouteRequest): string | undefined => {
  const value = find(make(routes), request)?.value
  assert.strictEqual(find(make(routes.toReversed()), request)?.value, value)
  return value
}

describe("host", () => {
  const routes = [
    route("any", [any]),
    route("c", [any], ["*.c"]),
    route("b.c", [any], ["*.b.c"]),
    route("a.b.c", [any], ["a.b.c"]),
  ]

  it("the name itself comes before every suffix", () => {
    assert.strictEqual(taken(routes, get("/", { host: "a.b.c" })), "a.b.c")
  })
  it("the longest suffix comes before shorter ones", () => {
    assert.strictEqual(taken(routes, get("/", { host: "x.b.c" })), "b.c")
    assert.strictEqual(taken(routes, get("/", { host: "x.y.c" })), "c")
  })
  it("a suffix takes several labels, but not none", () => {
    assert.strictEqual(taken(routes, get("/", { host: "x.y.b.c" })), "b.c")
    assert.strictEqual(taken(routes, get("/", { host: "b.c" })), "c")
    assert.strictEqual(taken(routes, get("/", { host: "c" })), "any")
  })
  it("a suffix begins at a label", () => {
    assert.strictEqual(taken([route("r", [any], ["*.b.c"])], get("/", { host: "xb.c" })), undefined)
  })
  it("routes without hostnames come last, also for a request without host", () => {
    assert.strictEqual(taken(routes, get("/", { host: "other" })), "any")
    assert.strictEqual(taken(routes, get("/", { host: "" })), "any")
  })
  it("a host where nothing matches falls through to the next", () => {
    const routes = [
      route("narrow", [match(exact("/only"))], ["a.b.c"]),
      route("wide", [match(prefix("/wide"))], ["*.b.c"]),
      route("any", [any]),
    ]
    assert.strictEqual(taken(routes, get("/only", { host: "a.b.c" })), "narrow")
    assert.strictEqual(taken(routes, get("/wide", { host: "a.b.c" })), "wide")
    assert.strictEqual(taken(routes, get("/else", { host: "a.b.c" })), "any")
  })
  it("a worse path on a closer host wins over a better path on a wider one", () => {
    const routes = [route("exact", [match(exact("/p"))], ["*.b.c"]), route("close", [any], ["a.b.c"])]
    assert.strictEqual(taken(routes, get("/p", { host: "a.b.c" })), "close")
  })
  it("the pattern that led to the route is reported", () => {
    assert.strictEqual(find(make(routes), get("/", { host: "x.b.c" }))?.host, "*.b.c")
    assert.strictEqual(find(make(routes), get("/", { host: "other" }))?.host, "*")
  })
  it("a text longer than any name is not let through to wider routes", () => {
    const host = `${"x.".repeat(200)}b.c`
    assert.strictEqual(taken(routes, get("/", { host })), undefined)
  })
})

describe("path", () => {
  it("exact is equality of the raw bytes", () => {
    const routes = [route("r", [match(exact("/a"))])]
    assert.strictEqual(taken(routes, get("/a")), "r")
    for (const path of ["/a/", "/A", "/%61", "/ab", "/", ""]) assert.strictEqual(taken(routes, get(path)), undefined)
  })
  it("a prefix ends at a segment", () => {
    const routes = [route("r", [match(prefix("/foo"))])]
    for (const path of ["/foo", "/foo/", "/foo/x", "/foo//"]) assert.strictEqual(taken(routes, get(path)), "r")
    for (const path of ["/foobar", "/fo", "/", "/x/foo"]) assert.strictEqual(taken(routes, get(path)), undefined)
  })
  it("slashes at the end of a prefix mean nothing", () => {
    for (const path of ["/foo/", "/foo//"]) {
      const routes = [route("r", [match(prefix(path))])]
      assert.strictEqual(taken(routes, get("/foo")), "r")
      assert.strictEqual(taken(routes, get("/foo/x")), "r")
      assert.strictEqual(taken(routes, get("/foobar")), undefined)
    }
  })
  it("the prefix / takes every path, but not the asterisk of OPTIONS", () => {
    const routes = [route("r", [match(prefix("/"))])]
    for (const path of ["/", "/a", "//", ""]) assert.strictEqual(taken(routes, get(path)), "r")
    assert.strictEqual(taken(routes, get("*", { method: "OPTIONS" })), undefined)
  })
  it("an expression matches the whole path", () => {
    const routes = [route("r", [match(regex("/v[0-9]+/x|/y"))])]
    assert.strictEqual(taken(routes, get("/v12/x")), "r")
    assert.strictEqual(taken(routes, get("/y")), "r")
    for (const path of ["/v12/x/", "/v/x", "/a/y"]) assert.strictEqual(taken(routes, get(path)), undefined)
  })
  it("an expression tries every way to match the whole path, not only the first", () => {
    assert.strictEqual(taken([route("r", [match(regex("/(a|ab)(c|bcd)?"))])], get("/abcd")), "r")
    assert.strictEqual(taken([route("r", [match(regex("/a|/ab"))])], get("/ab")), "r")
  })
  it("an expression that does not compile takes nothing and harms no other", () => {
    const routes = [route("broken", [match(regex("/("))]), route("r", [any])]
    assert.strictEqual(taken(routes, get("/(")), "r")
  })
  it("a path too long for an expression is refused, not passed on to a wider route", () => {
    const routes = [route("guarded", [match(regex("/admin/.*"))]), route("open", [any])]
    const path = `/admin/${"x".repeat(textLengthMax)}`
    assert.strictEqual(taken(routes, get(path)), undefined)
    assert.strictEqual(taken([route("open", [any])], get(path)), "open")
  })
  it("a header too long for an expression is refused likewise", () => {
    const routes = [route("guarded", [match(prefix("/a"), { headers: [like("x", ".*")] })]), route("open", [any])]
    const headers = [["x", "x".repeat(textLengthMax + 1)]] as const
    assert.strictEqual(taken(routes, get("/a", { headers })), undefined)
    assert.strictEqual(taken(routes, get("/b", { headers })), "open")
  })
})

describe("rank", () => {
  it("exact comes before any prefix or expression", () => {
    const routes = [
      route("exact", [match(exact("/a/b"))]),
      route("prefix", [match(prefix("/a/b////"), { method: "GET" })]),
      route("regex", [match(regex("/a/(b|b|b)"))]),
    ]
    assert.strictEqual(taken(routes, get("/a/b")), "exact")
  })
  it("prefixes and expressions compete by the length of what is written", () => {
    const short = route("prefix", [match(prefix("/abc"))])
    assert.strictEqual(taken([short, route("regex", [match(regex("/a.c.*"))])], get("/abc")), "regex")
    assert.strictEqual(taken([short, route("regex", [match(regex("/.*"))])], get("/abc")), "prefix")
  })
  it("slashes at the end of a prefix count in its length", () => {
    const routes = [route("deep", [match(prefix("/a/b"))]), route("slashes", [match(prefix("/a///"))])]
    assert.strictEqual(taken(routes, get("/a/b")), "slashes")
  })
  it("then a method, then more headers, then more parameters", () => {
    const routes = [
      route("method", [match(prefix("/"), { method: "GET" })]),
      route("headers", [match(prefix("/"), { headers: [named("x", "1"), named("y", "1")] })]),
      route("header", [match(prefix("/"), { headers: [named("x", "1")], query: [named("q", "1"), named("p", "1")] })]),
      route("query", [match(prefix("/"), { query: [named("q", "1")] })]),
      route("none", [any]),
    ]
    const headers = [
      ["x", "1"],
      ["y", "1"],
    ] as const
    const order = ["method", "headers", "header", "query", "none"]
    for (let i = 0; i < order.length; i++) {
      const left = routes.filter(({ value }) => order.indexOf(value) >= i)
      assert.strictEqual(taken(left, get("/?q=1&p=1", { headers })), order[i])
    }
  })
  it("what is left is decided by the bytes of the key: route10 precedes route2", () => {
    assert.strictEqual(taken([route("route2", [any]), route("route10", [any])], get("/")), "route10")
    assert.strictEqual(taken([route("\u{1f600}", [any]), route("\ufb01", [any])], get("/")), "\ufb01")
  })
  it("of two equal matches of one route the first is taken", () => {
    const matches = [
      match(prefix("/"), { headers: [named("x", "1")] }),
      match(prefix("/"), { headers: [named("y", "1")] }),
    ]
    const headers = [
      ["y", "1"],
      ["x", "1"],
    ] as const
    assert.strictEqual(find(make([route("r", matches)]), get("/", { headers }))?.match, matches[0])
  })
  it("a better pair that does not match leaves the request to the next", () => {
    const routes = [route("post", [match(exact("/a"), { method: "POST" })]), route("any", [any])]
    assert.strictEqual(taken(routes, get("/a")), "any")
  })
})

describe("method, headers, query", () => {
  it("methods are compared with their case", () => {
    const routes = [route("r", [match(prefix("/"), { method: "GET" })])]
    assert.strictEqual(taken(routes, get("/", { method: "get" })), undefined)
  })
  it("every header must match, and of its values any one", () => {
    const routes = [route("r", [match(prefix("/"), { headers: [named("x", "1"), like("y", "a|b")] })])]
    const headers = [
      ["x", "2"],
      ["y", "b"],
      ["x", "1"],
    ] as const
    assert.strictEqual(taken(routes, get("/", { headers })), "r")
    assert.strictEqual(taken(routes, get("/", { headers: headers.slice(0, 2) })), undefined)
    assert.strictEqual(taken(routes, get("/", { headers: [...headers.slice(2), ["y", "ab"]] })), undefined)
  })
  it("the request line is there under its HTTP/2 names", () => {
    for (const condition of [
      named(":method", "GET"),
      named(":scheme", "https"),
      named(":authority", "a.test"),
      named(":path", "/p?q=1"),
      like(":path", "/p.q=."),
    ]) {
      const routes = [route("r", [match(prefix("/"), { headers: [condition] })])]
      assert.strictEqual(taken(routes, get("/p?q=1", { scheme: "https" })), "r")
      assert.strictEqual(taken(routes, get("/other", { method: "PUT", host: "b.test" })), undefined)
    }
  })
  it("headers that have left the list for being more than headers are matched all the same", () => {
    for (const condition of [
      named("host", "a.test"),
      named("upgrade", "websocket"),
      like("upgrade", "(?i)WebSocket"),
      named("connection", "upgrade"),
    ]) {
      const routes = [route("r", [match(prefix("/"), { headers: [condition] })])]
      assert.strictEqual(taken(routes, get("/", { upgrade: "websocket" })), "r", condition.name)
      assert.strictEqual(taken(routes, get("/", { host: "b.test" })), undefined, condition.name)
    }
  })
  it("of a repeated parameter the last value counts", () => {
    const routes = [route("r", [match(prefix("/"), { query: [named("q", "2")] })])]
    assert.strictEqual(taken(routes, get("/?q=1&q=2")), "r")
    assert.strictEqual(taken(routes, get("/?q=2&q=1")), undefined)
  })
  it("parameters are decoded as forms are", () => {
    const routes = [route("r", [match(prefix("/"), { query: [named("a b", "c&d")] })])]
    assert.strictEqual(taken(routes, get("/?a+b=c%26d")), "r")
    assert.strictEqual(taken(routes, get("/?%61%20b=c%26d")), "r")
  })
  it("a parameter without value is an empty one, a missing one never matches", () => {
    const routes = [route("r", [match(prefix("/"), { query: [like("q", ".*")] })])]
    for (const target of ["/?q", "/?q=", "/?&&q", "/?p&q"]) assert.strictEqual(taken(routes, get(target)), "r")
    for (const target of ["/", "/?", "/?&", "/?&&", "/?p", "/?qq", "/?xq=1", "/??q=1", "/?%3Fq=1"])
      assert.strictEqual(taken(routes, get(target)), undefined)
  })
  it("a thousand tenants told apart by a header, a method and a parameter each get their own", () => {
    const routes = Array.from({ length: 1000 }, (_, i) =>
      route(`r${i}`, [
        match(prefix("/"), {
          method: i % 2 === 0 ? "GET" : "POST",
          headers: [named("tenant", `t${i >> 1}`), like("x", "[12]")],
          query: [named("v", "1")],
        }),
      ]),
    )
    for (const i of [0, 1, 500, 999]) {
      const headers = [
        ["tenant", "nobody"],
        ["x", "2"],
        ["tenant", `t${i >> 1}`],
      ] as const
      assert.strictEqual(taken(routes, get("/?v=1", { method: i % 2 === 0 ? "GET" : "POST", headers })), `r${i}`)
      assert.strictEqual(taken(routes, get("/?v=2", { method: "GET", headers })), undefined)
    }
  })
  it("a client that repeats fields is answered by the same rules", () => {
    const routes = Array.from({ length: 40 }, (_, i) =>
      route(`r${i}`, [match(prefix("/"), { headers: [named("x", `${i}`), named("y", `${i}`)] })]),
    )
    const headers = Array.from({ length: 100 }, (_, i) => [i % 2 === 0 ? "x" : "y", i < 98 ? "no" : "7"] as const)
    assert.strictEqual(taken(routes, get("/", { headers })), "r7")
  })
})

describe("change", () => {
  const before = make([route("a", [match(prefix("/a"))]), route("b", [match(prefix("/b"))])])

  it("a route added is found, and the tree it was added to does not know it", () => {
    const after = change(before, { remove: [], add: [route("c", [match(exact("/a"))])] })
    assert.strictEqual(find(after, get("/a"))?.value, "c")
    assert.strictEqual(find(before, get("/a"))?.value, "a")
  })
  it("a route removed is not found, and the old tree keeps it", () => {
    const after = change(before, { remove: [RouteKey.make("a")], add: [] })
    assert.strictEqual(find(after, get("/a")), undefined)
    assert.strictEqual(find(after, get("/b"))?.value, "b")
    assert.strictEqual(find(before, get("/a"))?.value, "a")
  })
  it("a route added under a known key replaces it", () => {
    const after = change(before, { remove: [], add: [{ ...route("a", [match(prefix("/z"))]), value: "new" }] })
    assert.strictEqual(find(after, get("/a")), undefined)
    assert.strictEqual(find(after, get("/z"))?.value, "new")
    assert.strictEqual(valueOf(after, RouteKey.make("a")), "new")
  })
  it("a route both removed and added is there", () => {
    const after = change(before, { remove: [RouteKey.make("a")], add: [route("a", [match(prefix("/a"))])] })
    assert.strictEqual(find(after, get("/a"))?.value, "a")
  })
  it("removing what is not there changes nothing", () => {
    const after = change(before, { remove: [RouteKey.make("nobody")], add: [] })
    assert.deepStrictEqual(after, before)
  })
  it("hosts that a change does not concern are shared with the tree before", () => {
    const routes = Array.from({ length: 100 }, (_, i) => route(`r${i}`, [any], [`h${i}.test`]))
    const tree = make(routes)
    const after = change(tree, { remove: [], add: [route("r7", [match(prefix("/x"))], ["h7.test"])] })
    for (let i = 0; i < 100; i++)
      assert.strictEqual(
        find(after, get("/", { host: `h${i}.test` })),
        i === 7 ? undefined : find(tree, get("/", { host: `h${i}.test` })),
      )
  })
  it("a route without matches takes nothing", () => {
    assert.strictEqual(find(make([route("r", [])]), get("/")), undefined)
  })
})
