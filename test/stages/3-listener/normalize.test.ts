import { describe, expect, it } from "vitest"
import { relayRequest } from "../../../protocols/http/hopByHop.ts"
import { empty, type Flow } from "../../../stages/Body.ts"
import { Request } from "../../../stages/Exchange.ts"
import { normalize } from "../../../stages/3-listener/normalize.ts"
import type { Incoming } from "../../../stages/ports/Network.ts"

const flow: Flow = { _tag: "Flow", length: 1, open: () => ({ resume: () => {}, cancel: () => {} }) }

const incoming = (more: Partial<Incoming> = {}): Incoming => {
  const { flat = ["Host", "A.test:8080", "X-Own", "1"], version = "1.1" } = more
  return {
    method: "GET",
    target: "/path?q=1",
    version,
    flat,
    fields: relayRequest(flat, version === "2" ? "2.0" : version),
    authority: undefined,
    scheme: undefined,
    protocol: undefined,
    body: empty,
    ...more,
  } as Incoming
}

const read = (more: Partial<Incoming> = {}, secure = false, keeps = false) => {
  const result = normalize(incoming(more), secure, keeps)
  if (!(result instanceof Request)) throw new Error(JSON.stringify(result))
  return result
}

describe("a request as every later stage finds it", () => {
  it("has its parts, the host in lower case and out of the fields", () => {
    const request = read()
    expect(request).toMatchObject({
      method: "GET",
      scheme: "http",
      authority: "a.test:8080",
      host: "a.test",
      path: "/path",
      query: "q=1",
      upgrade: undefined,
    })
    expect(request.headers.flat).toEqual(["x-own", "1"])
    expect(read({}, true).scheme).toBe("https")
  })

  it("takes the authority of an absolute target before the host", () => {
    expect(read({ target: "http://b.test/x", flat: ["Host", "a.test"] })).toMatchObject({ host: "b.test", path: "/x" })
  })

  it("keeps the spelling of names beside them where that is wanted", () => {
    expect(read().headers.written).toEqual(["x-own", "1"])
    const kept = read({ flat: ["HOST", "a", "X-oWn", "1", "Accept", "*/*", "accept", "b"] }, false, true)
    expect(kept.headers.written).toEqual(["X-oWn", "1", "Accept", "*/*", "Accept", "b"])
    expect(kept.copy().headers.written).toEqual(kept.headers.written)
  })

  it("asks for an upgrade only without a body", () => {
    const flat = ["Host", "a", "Connection", "upgrade", "Upgrade", "websocket"]
    expect(read({ flat }).upgrade).toBe("websocket")
    expect(read({ flat, method: "POST", body: flow }).upgrade).toBeUndefined()
  })

  it("of an extended CONNECT is the upgrade it stands for", () => {
    const request = read({
      version: "2",
      method: "CONNECT",
      target: "/chat?x",
      authority: "a.test",
      scheme: "https",
      protocol: "websocket",
      flat: ["sec-websocket-version", "13"],
    })
    expect(request).toMatchObject({ method: "GET", path: "/chat", query: "x", upgrade: "websocket", host: "a.test" })
  })

  it("of CONNECT has a path to be routed by", () => {
    expect(read({ method: "CONNECT", target: "b.test:443", flat: ["Host", "b.test:443"] })).toMatchObject({
      authority: "b.test:443",
      path: "/",
    })
  })

  it.each([
    [{ flat: [] }, "missing host"],
    [{ flat: ["Host", "a@b"] }, "malformed authority"],
    [{ target: "nonsense" }, "malformed request target"],
    [{ version: "2", authority: "a.test", flat: ["host", "b.test"] }, "host differs from authority"],
    [{ version: "2", flat: [] }, "no authority or host"],
    [{ version: "1.0", flat: [] }, "no authority or host"],
  ] as ReadonlyArray<[Partial<Incoming>, string]>)("%j is refused", (more, detail) => {
    expect(normalize(incoming(more), false, false)).toEqual({ _tag: "InvalidRequest", detail })
  })

  it("with an unknown expectation is refused as such", () => {
    expect(normalize(incoming({ flat: ["Host", "a", "Expect", "x"] }), false, false)).toMatchObject({
      _tag: "ExpectationFailed",
    })
  })
})
