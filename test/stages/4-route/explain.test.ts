import { assert, it } from "@effect/vitest"
import { any } from "../../../ir/Match.ts"
import { whyNot } from "../../../stages/4-route/explain.ts"
import { textLengthMax } from "../../../stages/4-route/Regex.ts"
import { exact, get, like, match, named, prefix, regex, route } from "./routes.ts"

const told = (...given: Parameters<typeof whyNot<string>>) =>
  whyNot(...given).map(({ route, reason, isChosen }) => [
    route.key as string,
    reason === undefined
      ? isChosen
        ? "chosen"
        : "shadowed"
      : "name" in reason
        ? `${reason._tag} ${reason.name}`
        : reason._tag,
  ])

it("every route is listed in the order in which it is tried, with the first thing that is not as asked", () => {
  const routes = [
    route("shadowed", [any]),
    route("chosen", [match(prefix("/a"))]),
    route("query", [match(exact("/a"), { query: [named("p", "1"), named("q", "1")] })]),
    route("header", [match(exact("/a"), { headers: [named("x", "1"), like("y", "1")] })]),
    route("method", [match(exact("/a"), { method: "POST", headers: [named("z", "1")] })]),
    route("path", [match(exact("/abc"), { method: "POST" })]),
    route("host", [match(exact("/a"))], ["b.test"]),
    route("near", [match(prefix("/z"))], ["a.test"]),
  ]
  assert.deepStrictEqual(told(routes, get("/a?p=1", { headers: [["x", "1"]] })), [
    ["near", "Path"],
    ["path", "Path"],
    ["method", "Method"],
    ["header", "Header y"],
    ["query", "Query q"],
    ["chosen", "chosen"],
    ["shadowed", "shadowed"],
    ["host", "Host"],
  ])
})
it("a route without matches is told apart from one that does not match", () => {
  assert.deepStrictEqual(told([route("r", [])], get("/")), [["r", "NoMatches"]])
})
it("a route with several matches and hostnames is listed once for each pair", () => {
  const routes = [route("r", [match(exact("/b")), any], ["a.test", "*.test"])]
  assert.deepStrictEqual(
    whyNot(routes, get("/")).map(({ host, reason }) => [host, reason?._tag]),
    [
      ["a.test", "Path"],
      ["a.test", undefined],
      ["*.test", "Path"],
      ["*.test", undefined],
    ],
  )
})
it("a text too long for an expression ends the search", () => {
  const routes = [route("long", [match(regex("/a.*"))]), route("any", [any])]
  const tried = whyNot(routes, get(`/a${"x".repeat(textLengthMax)}`))
  assert.deepStrictEqual(tried[0]?.reason, { _tag: "TooLong", what: "path" })
  assert.isFalse(tried.some(({ isChosen }) => isChosen))
})
