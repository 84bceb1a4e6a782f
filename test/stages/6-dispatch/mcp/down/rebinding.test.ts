import { describe, expect, it } from "vitest"
import { rebindingProblem } from "../../../../../stages/6-dispatch/mcp/down/rebinding.ts"
import { Headers } from "../../../../../protocols/http/headers.ts"
import { makeExchange } from "../../../exchange.ts"

const problem = (host: string, ...origins: ReadonlyArray<string>): string | undefined => {
  const exchange = makeExchange({})
  const { request } = exchange
  const asked = Object.create(request, {
    host: { value: host.replace(/:\d+$/, "") },
    authority: { value: host },
    headers: { value: new Headers(origins.flatMap((origin) => ["origin", origin])) },
  }) as typeof request
  return rebindingProblem(
    { exchange, request: asked },
    { isOn: true, hosts: new Set(["mcp.example"]), origins: new Set(["https://app.example"]) },
  )
}

const host = "this host is not served here"
const origin = "this origin may not call"

describe("a request where pages may have been led astray", () => {
  it.each(["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:80", "mcp.example"])(
    "is for %s, which is local or named",
    (name) => expect(problem(name)).toBeUndefined(),
  )

  it.each(["example.com", "localhost.example.com", "128.0.0.1", "[::2]:80", "localhost.:1"])(
    "is refused for %s",
    (name) => expect(problem(name)).toBe(host),
  )

  it.each([
    "http://localhost",
    "https://127.0.0.1:3000",
    "http://[::1]:5",
    "https://mcp.example",
    "https://app.example",
  ])("may come from %s", (from) => expect(problem("localhost", from)).toBeUndefined())

  it.each([
    "null",
    "https://evil.example",
    "ftp://localhost",
    "http://localhost http://evil.example",
    "",
    "localhost",
    "http://x@localhost",
    "http://evil.example@localhost",
    "http://x:y@mcp.example",
    "http://@localhost",
    "http://localhost/",
    "http://localhost/evil.example",
    "http://localhost?evil.example",
    "http://localhost#evil.example",
    "http:localhost",
    "http:/localhost",
    "http:\\\\localhost",
    "http://localhost\\evil.example",
    "http://local\thost",
    " http://localhost",
  ])("may not come from %j", (from) => expect(problem("localhost", from)).toBe(origin))

  it("may not come from two origins, whichever is first", () => {
    expect(problem("localhost", "http://localhost", "https://evil.example")).toBe(origin)
    expect(problem("localhost", "https://app.example", "https://evil.example")).toBe(origin)
  })
})
