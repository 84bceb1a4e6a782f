import { describe, expect, it } from "vitest"
import { endpointPath } from "../../../../../stages/6-dispatch/mcp/target/sseChannel.ts"

const origin = { host: "tools.example.test", port: 8080 }

describe("the address that a server of the first revision wants messages at", () => {
  it.each([
    ["/messages?sessionId=1", "/messages?sessionId=1"],
    ["messages", "/a/messages"],
    ["?sessionId=1", "/a/sse?sessionId=1"],
    [" http://tools.example.test:8080/m ", "/m"],
    ["http://TOOLS.example.test:8080/m?x=y", "/m?x=y"],
  ])("%s is %s", (said, path) => {
    expect(endpointPath(said, "/a/sse", origin)).toBe(path)
  })

  it.each([
    "http://elsewhere.example.test:8080/m",
    "http://tools.example.test:8081/m",
    "http://tools.example.test/m",
    "https://tools.example.test/m",
    "//elsewhere.example.test:8080/m",
    "http://tools.example.test:8080@elsewhere.example.test/m",
    "ftp://tools.example.test:8080/m",
    "javascript:alert(1)",
    "http://[",
  ])("%s is nowhere of ours", (said) => {
    expect(endpointPath(said, "/a/sse", origin)).toBeUndefined()
  })

  it("is never another place while nobody knows where the server is", () => {
    expect(endpointPath("http://tools.example.test:8080/m", "/sse", undefined)).toBeUndefined()
    expect(endpointPath("/m", "/sse", undefined)).toBe("/m")
  })
})
