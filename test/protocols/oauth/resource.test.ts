import { describe, expect, it } from "vitest"
import { canonical, covers, parse, resourceMetadataUrls } from "../../../protocols/oauth/resource.ts"
import { serverMetadataUrls } from "../../../protocols/oauth/metadata.ts"

describe("a resource", () => {
  it("is described below its path, then at the root", () => {
    expect(resourceMetadataUrls("https://a.example/v1/mcp?t=1")).toEqual([
      "https://a.example/.well-known/oauth-protected-resource/v1/mcp?t=1",
      "https://a.example/.well-known/oauth-protected-resource",
    ])
    expect(resourceMetadataUrls("https://a.example/")).toEqual([
      "https://a.example/.well-known/oauth-protected-resource",
    ])
    expect(resourceMetadataUrls("no url")).toEqual([])
  })

  it("speaks for itself and for what is below it, and for nobody else", () => {
    for (const [resource, server] of [
      ["https://a.example/mcp", "https://a.example/mcp"],
      ["https://a.example/mcp/", "https://a.example/mcp"],
      ["https://a.example", "https://a.example/mcp"],
      ["https://A.example:443/v1", "https://a.example/v1/mcp"],
    ] as const) {
      expect(covers(resource, server), `${resource} ${server}`).toBe(true)
    }
    for (const [resource, server] of [
      ["https://evil.example/mcp", "https://a.example/mcp"],
      ["http://a.example/mcp", "https://a.example/mcp"],
      ["https://a.example/mcp2", "https://a.example/mcp"],
      ["https://a.example/mcp/x", "https://a.example/mcp"],
      ["https://a.example/mc", "https://a.example/mcp"],
      ["https://a.example:444/mcp", "https://a.example/mcp"],
      ["https://u@a.example/mcp", "https://a.example/mcp"],
      ["https://a.example/mcp#x", "https://a.example/mcp"],
      ["https://a.example/mcp?t=1", "https://a.example/mcp?t=2"],
      ["a.example/mcp", "https://a.example/mcp"],
    ] as const) {
      expect(covers(resource, server), `${resource} ${server}`).toBe(false)
    }
  })

  it("is read as far as it makes sense", () => {
    expect(
      parse(
        '{"resource":"https://a.example","authorization_servers":["https://b.example",1],"scopes_supported":["x"]}',
      ),
    ).toEqual({
      resource: "https://a.example",
      authorizationServers: ["https://b.example"],
      scopes: ["x"],
    })
    for (const bad of ["", "[]", "null", "{}", '{"resource":1}']) expect(typeof parse(bad), bad).toBe("string")
  })

  it("is known by one text", () => {
    expect(canonical("https://A.example:443/")).toBe("https://a.example")
    expect(canonical("https://a.example/mcp#x")).toBe("https://a.example/mcp")
  })
})

describe("an authorization server", () => {
  it("is looked for in the order of the standard", () => {
    expect(serverMetadataUrls("https://a.example/tenant")).toEqual([
      "https://a.example/.well-known/oauth-authorization-server/tenant",
      "https://a.example/.well-known/openid-configuration/tenant",
      "https://a.example/tenant/.well-known/openid-configuration",
    ])
    expect(serverMetadataUrls("https://a.example")).toEqual([
      "https://a.example/.well-known/oauth-authorization-server",
      "https://a.example/.well-known/openid-configuration",
    ])
  })
})
