import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { type Json, toJson } from "../../../../ir/cel/toJson.ts"
import { isError } from "../../../../ir/cel/CelValue.ts"
import type { Secured } from "../../../../stages/Connection.ts"
import type { Exchange, Reply } from "../../../../stages/Exchange.ts"
import { Facts } from "../../../../stages/5-policy/expression/Facts.ts"
import { makeExchange, makeReply, type Told } from "../../exchange.ts"
import { computing } from "../computing.ts"

const ports = computing({ env: { podName: "pod-1" }, sensitiveHeaders: ["X-Secret"] })
const { expressions } = ports

const read = (source: string, exchange: Exchange, reply?: Reply): Json | string => {
  const value = expressions
    .compile(source, "log", "logField")
    .evaluate(Facts.replied(expressions.around, exchange, reply))
  return isError(value) ? `error: ${value.message}` : toJson(value)
}

const asked = (source: string, told: Told = {}) => read(source, makeExchange(told))

const client = {
  subject: "CN=ann,O=shop",
  subjectCn: "ann",
  issuer: "CN=ca",
  subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/cart", "DNS:cart"],
  certificatePem: "-----BEGIN",
}

const sealed = (exchange: Exchange): Secured => ({
  ...exchange.bound.secured,
  tls: { serverName: "shop.example", alpn: "h2", version: "TLSv1.3", client },
})

describe("what an expression sees of a request", () => {
  const told: Told = {
    method: "POST",
    url: "https://shop.example:8443/cart?item=1&item=2",
    headers: [
      ["x-a", "1"],
      ["x-a", "2"],
      ["x-secret", "s"],
    ],
    body: "hello",
  }

  it.each([
    ["request.method", "POST"],
    ["request.host", "shop.example:8443"],
    ["request.scheme", "https"],
    ["request.path", "/cart"],
    ["string(request.uri)", "https://shop.example:8443/cart?item=1&item=2"],
    ["request.pathAndQuery.query('item')", ["1", "2"]],
    ["request.version", "HTTP/1.1"],
    ['request.headers["x-a"]', "1"],
    ["request.headers.raw()['x-a']", ["1", "2"]],
    ["request.headers.redacted()['x-secret']", "<redacted>"],
    ["string(request.body)", "hello"],
    ["size(request.bodyPrefix)", 5],
    ["response == null", true],
    ["jwt == null && apiKey == null && basicAuth == null && llm == null", true],
    ["has(request.endTime)", false],
    ["source.address", "127.0.0.1"],
    ["source.port", 50_000],
    ["has(source.identity)", false],
    ["destination.port", 8080],
    ["proxy.bind", "bind/test"],
    ["proxy.route.name", "route"],
    ["env.podName", "pod-1"],
    ["has(env.gateway)", false],
    ["metadata == null", true],
  ])("%s", (source, expected) => assert.deepStrictEqual(asked(source, told), expected))

  it("is the switch of protocols it asks for, too", () => {
    const switching: Told = { ...told, upgrade: "websocket" }
    assert.strictEqual(asked("request.headers.upgrade", switching), "websocket")
    assert.strictEqual(asked('request.headers["connection"]', switching), "upgrade")
    assert.strictEqual(asked('request.headers["x-a"]', switching), "1")
    assert.strictEqual(asked("has(request.headers.upgrade)", told), false)
  })

  it("is read where it is asked for, and nowhere else", () => {
    const exchange = makeExchange()
    Object.defineProperty(exchange.request, "headers", {
      get: () => {
        throw new Error("headers were touched")
      },
    })
    assert.strictEqual(read("request.method", exchange), "GET")
  })

  it("can be dumped whole", () => {
    const all = asked("variables()", told)
    assert.include(Object.keys(all as object), "request")
  })
})

describe("who an expression sees", () => {
  it("is who authentication proved, without secrets in the open", () => {
    const exchange = makeExchange()
    exchange.identity = {
      jwt: { sub: "ann", roles: ["a", "b"] },
      token: Redacted.make("raw"),
      apiKey: { key: Redacted.make("k1"), metadata: { tier: "gold" }, allowedModels: undefined },
      basicAuth: { username: "bob" },
    }
    assert.deepStrictEqual(read("jwt", exchange), { sub: "ann", roles: ["a", "b"], rawToken: "<redacted>" })
    assert.strictEqual(read("jwt.rawToken.unredacted()", exchange), "raw")
    assert.deepStrictEqual(read("apiKey", exchange), { key: "<redacted>", tier: "gold" })
    assert.strictEqual(read("apiKey.key.unredacted()", exchange), "k1")
    assert.strictEqual(read("basicAuth.username", exchange), "bob")
  })

  it("never finds what an object merely inherits", () => {
    const exchange = makeExchange()
    exchange.identity = { jwt: {}, apiKey: { key: Redacted.make("k"), metadata: {}, allowedModels: undefined } }
    for (const source of ["jwt.constructor", "apiKey.toString", "jwt.__proto__"]) {
      assert.match(read(source, exchange) as string, /^error: no such key/)
    }
  })

  it("is who the client certificate names", () => {
    const exchange = makeExchange()
    const facts = Facts.connection(expressions.around, sealed(exchange), undefined)
    const value = (source: string) => {
      const found = expressions.compile(source, "networkAuthorization", "logField").evaluate(facts)
      return isError(found) ? found.message : toJson(found)
    }
    assert.deepStrictEqual(value("source.identity"), {
      trustDomain: "cluster.local",
      namespace: "shop",
      serviceAccount: "cart",
    })
    assert.strictEqual(value("source.spiffeId"), "spiffe://cluster.local/ns/shop/sa/cart")
    assert.deepStrictEqual(value("[source.subjectCn, source.issuer]"), ["ann", "CN=ca"])
    assert.strictEqual(facts.askedForSeal, true)
  })
})

describe("what an expression sees of a reply", () => {
  it("has its status, its fields and what was sent to get it", () => {
    const exchange = makeExchange()
    exchange.sent = makeExchange({ url: "http://a/rewritten" }).request
    const reply = makeReply({ status: 404, headers: { "grpc-status": "5", a: "b" }, body: "no" })
    assert.strictEqual(read("response.code", exchange, reply), 404)
    assert.strictEqual(read("response.grpcStatus", exchange, reply), 5)
    assert.strictEqual(read("response.headers.a + string(response.body)", exchange, reply), "bno")
    assert.strictEqual(read("request.path", exchange, reply), "/rewritten")
  })

  it("knows how long each part took once it is over", () => {
    const exchange = makeExchange()
    Object.assign(exchange.trail, { upstreamStartMillis: 1002, upstreamHeadMillis: 1012, replyMillis: 1012.5 })
    assert.strictEqual(read("string(proxy.requestProcessingDuration)", exchange, makeReply()), "0.002s")
    assert.strictEqual(read("string(proxy.upstreamDuration)", exchange, makeReply()), "0.01s")
    assert.strictEqual(read("has(proxy.responseProcessingDuration)", makeExchange(), makeReply()), false)
  })
})
