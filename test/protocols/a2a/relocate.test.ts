import { describe, expect, it } from "vitest"
import { relocate, wayOf } from "../../../protocols/a2a/card/relocate.ts"

const card = "/.well-known/agent-card.json"
const way = (outside: string, inside: string, prefix: string | undefined) =>
  wayOf({
    outside: outside + card,
    inside: inside + card,
    prefix,
    bases: { outside, inside },
  })

describe("where a path of the agent is found", () => {
  it.each([
    // the same on both sides
    ["", "", "/", "/rpc", "/rpc"],
    ["", "", "/", "/", "/"],
    // a route that replaces its prefix
    ["/agents/a", "", "/agents/a", "/rpc", "/agents/a/rpc"],
    ["/agents/a", "/internal", "/agents/a", "/internal/rpc", "/agents/a/rpc"],
    ["/agents/a", "/internal", "/agents/a/", "/internal", "/agents/a"],
    // only whole segments count
    ["/agents/a", "/internal", "/agents/a", "/internals/rpc", "/agents/a/internals/rpc"],
    // a card below the replaced prefix
    ["/agents/a/sub", "/x/sub", "/agents/a", "/x/rpc", "/agents/a/rpc"],
    // an agent below a path, by a route that replaces nothing
    ["/deep/agent", "/deep/agent", "/", "/deep/agent/rpc", "/deep/agent/rpc"],
    // an interface outside of everything that is known
    ["/agents/a", "/internal", "/agents/a", "/elsewhere", "/agents/a/elsewhere"],
  ])("card below %s and at the agent below %s, matched by %s: %s is %s", (outside, inside, prefix, path, expected) =>
    expect(way(outside, inside, prefix)(path)).toBe(expected),
  )

  it("holds for a route that was not chosen by a prefix", () =>
    expect(way("/a", "/b", undefined)("/b/rpc")).toBe("/a/rpc"))
})

describe("a card that is moved", () => {
  const to = {
    scheme: "https",
    authority: "gw.example",
    path: (path: string) => `/agents/a${path === "/" ? "" : path}`,
  }
  it("that came over gRPC names what shares the port of gRPC", () => {
    const interfaces = [
      { protocolBinding: "GRPC", url: "agent:9001" },
      { protocolBinding: "JSONRPC", url: "http://agent:9000/rpc" },
      { protocolBinding: "HTTP+JSON", url: "http://agent:9001/rest" },
    ]
    expect(relocate({ supportedInterfaces: interfaces }, to, "GRPC")?.["supportedInterfaces"]).toEqual([
      { protocolBinding: "GRPC", url: "gw.example:443" },
      { protocolBinding: "HTTP+JSON", url: "https://gw.example/agents/a/rest" },
    ])
  })
  it("names the gateway in every list, and keeps what nobody knows", () => {
    const moved = relocate(
      {
        name: "A",
        more: { of: "it" },
        url: "http://agent:9000/rpc?x=1",
        preferredTransport: "JSONRPC",
        additionalInterfaces: [{ url: "http://agent:9000/rest", transport: "HTTP+JSON" }],
        supportedInterfaces: [
          { url: "http://agent:9000/rpc", protocolBinding: "JSONRPC", protocolVersion: "1.0", tenant: "t" },
        ],
        signatures: [{ protected: "a", signature: "b" }],
      },
      to,
    )
    expect(moved).toEqual({
      name: "A",
      more: { of: "it" },
      url: "https://gw.example/agents/a/rpc?x=1",
      preferredTransport: "JSONRPC",
      additionalInterfaces: [{ url: "https://gw.example/agents/a/rest", transport: "HTTP+JSON" }],
      supportedInterfaces: [
        { url: "https://gw.example/agents/a/rpc", protocolBinding: "JSONRPC", protocolVersion: "1.0", tenant: "t" },
      ],
    })
  })
  it("leaves out gRPC that the gateway does not lead to", () => {
    const rpc = { url: "http://agent:9000/rpc", protocolBinding: "JSONRPC", protocolVersion: "1.0" }
    const grpc = (port: number) => ({ url: `agent:${port}`, protocolBinding: "GRPC", protocolVersion: "1.0" })
    const urls = (interfaces: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
      const moved = relocate({ supportedInterfaces: interfaces }, to) ?? {}
      return (moved["supportedInterfaces"] as ReadonlyArray<{ readonly url: string }>).map(({ url }) => url)
    }
    expect(urls([rpc, grpc(50_051)])).toEqual(["https://gw.example/agents/a/rpc"])
    expect(urls([rpc, grpc(9000)])).toEqual(["https://gw.example/agents/a/rpc", "gw.example:443"])
  })
  it("is none when it says of no place", () => {
    expect(relocate({ name: "A" }, to)).toBeUndefined()
  })
  it("prefers the first that is left when the preferred one is left out", () => {
    const moved = relocate(
      {
        url: "agent:50051",
        preferredTransport: "GRPC",
        additionalInterfaces: [{ url: "http://agent:9000/rpc", transport: "JSONRPC" }],
      },
      to,
    )
    expect(moved).toMatchObject({ url: "https://gw.example/agents/a/rpc", preferredTransport: "JSONRPC" })
  })
})
