import { describe, expect, it } from "vitest"
import { reachable } from "../../../../../stages/6-dispatch/mcp/oauth/reachable.ts"

describe("where a document of a server may send the gateway", () => {
  const about = { server: "https://tools.example/mcp", trustedOrigins: ["http://sso.internal:8080"] }
  it("is the public network by TLS, and nothing that is not public", () => {
    expect(reachable("https://auth.example/x", about)).toEqual({ publicOnly: true })
    // Whatever its name stands for is looked at when it is connected to.
    expect(reachable("https://10.0.0.1/x", about)).toEqual({ publicOnly: true })
    expect(reachable("https://169.254.169.254/latest", about)).toEqual({ publicOnly: true })
    expect(reachable("https://localhost/x", about)).toEqual({ publicOnly: true })
  })
  it("is what the configuration names", () => {
    expect(reachable("https://tools.example/.well-known/x", about)).toEqual({ publicOnly: false })
    expect(reachable("http://sso.internal:8080/x", about)).toEqual({ publicOnly: false })
    expect(reachable("https://sso.corp/x", { ...about, issuer: "https://sso.corp/realm" })).toEqual({
      publicOnly: false,
    })
  })
  it("is this machine only for a server that is on it", () => {
    const local = { server: "http://localhost:3000/mcp", trustedOrigins: [] }
    expect(reachable("http://127.0.0.1:9/x", local)).toEqual({ publicOnly: false })
    expect(reachable("http://[::1]:9/x", local)).toEqual({ publicOnly: false })
    expect(reachable("http://10.0.0.1/x", local)).toBe("it is not https")
    expect(reachable("http://127.0.0.1:9/x", about)).toBe("it is not https")
  })
  it("is nothing but the web", () => {
    for (const bad of [
      "file:///etc/passwd",
      "javascript:alert(1)",
      "data:,x",
      "gopher://x",
      "x",
      "",
      "https://u:p@tools.example/",
    ]) {
      expect(typeof reachable(bad, about), bad).toBe("string")
    }
    expect(typeof reachable("http://tools.example/x", about)).toBe("string")
  })
})
