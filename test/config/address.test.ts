import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Address from "../../src/config/Address.ts"
import * as Target from "../../src/config/target.ts"

const failure = (result: Result.Result<unknown, { readonly message: string }>) =>
  Result.isFailure(result) ? result.failure.message : "accepted"

describe("addresses of the gateway's own interfaces", () => {
  it.each([
    ["off", { _tag: "Off" }],
    ["OFF", { _tag: "Off" }],
    ["unix:/run/admin.sock", { _tag: "Unix", path: "/run/admin.sock" }],
    ["localhost:15000", { _tag: "Localhost", port: 15000 }],
    ["0.0.0.0:9901", { _tag: "Ip", host: "0.0.0.0", port: 9901 }],
    ["[::]:15020", { _tag: "Ip", host: "::", port: 15020 }],
    ["127.0.0.1:0", { _tag: "Ip", host: "127.0.0.1", port: 0 }],
  ])("%s", (text, address) => {
    expect(Address.parse(text)).toEqual(Result.succeed(address))
  })
  it.each([
    "unix:",
    "localhost",
    "example.com:80",
    ":::80",
    "::1:80",
    "127.0.0.1",
    "127.0.0.1:70000",
    "127.0.0.1:x",
    "[127.0.0.1]:1",
  ])("%s is refused", (text) => {
    expect(failure(Address.parse(text))).not.toBe("accepted")
  })
  it.each(["off", "unix:/a", "localhost:1", "1.2.3.4:5", "[::1]:80"])("%s is written as it was read", (text) => {
    expect(Result.map(Address.parse(text), Address.format)).toEqual(Result.succeed(text))
  })
})

describe("targets", () => {
  it.each([
    ["example.com:80", { _tag: "Host", host: "example.com", port: 80 }],
    ["API_1.svc:8080", { _tag: "Host", host: "api_1.svc", port: 8080 }],
    ["127.0.0.1:80", { _tag: "Host", host: "127.0.0.1", port: 80 }],
    ["[::1]:8443", { _tag: "Host", host: "::1", port: 8443 }],
    ["unix:/run/app.sock", { _tag: "Unix", path: "/run/app.sock" }],
  ])("%s", (text, target) => {
    expect(Target.parse(text)).toEqual(Result.succeed(target))
  })
  it.each([
    "localhost",
    "::1:80",
    "host:",
    "host:0",
    "host:65536",
    ":80",
    "unix:",
    "http://a:80",
    "a b:80",
    "a/b:80",
    "[nope]:80",
    "",
  ])("%j is an invalid host:port", (text) => {
    expect(failure(Target.parse(text))).toBe(`invalid host:port: ${text}`)
  })
})
