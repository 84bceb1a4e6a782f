/** Tokens for backends from token endpoints, over real sockets: what is asked, what is believed, what the client is told. */
import * as http from "node:http"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import { compactVerify } from "jose"
import { afterEach, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import { type Asked, type LocalServer, localServer, type Said } from "../node/credentials/local.ts"
import { ec, signed } from "../stages/5-policy/tokens.ts"
import { type HttpUpstream, httpUpstream, type Started, startGateway } from "./harness.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

const formOf = ({ body }: Asked): ReadonlyArray<readonly [string, string]> => [...new URLSearchParams(body.toString())]

interface Place {
  readonly gateway: Started
  readonly backend: HttpUpstream
  readonly server: LocalServer
  readonly send: (headers?: http.OutgoingHttpHeaders) => Promise<{ readonly status: number; readonly body: string }>
}

const start = async (
  auth: (host: string) => string,
  answer: (asked: Asked, index: number) => Said | Promise<Said>,
  files: Record<string, string> = {},
): Promise<Place> => {
  let count = 0
  const server = closed(await localServer((asked) => answer(asked, count++)))
  const backend = closed(await httpUpstream())
  const { snapshot } = await loadedOf(
    `
gateways: {default: {port: 1}}
routes:
- backends:
  - host: "127.0.0.1:${backend.port}"
    policies: {backendAuth: ${auth(`127.0.0.1:${server.port}`)}}
`,
    { files },
  )
  const binds = [...snapshot.binds].map(
    ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  const gateway = closed(await startGateway({ ...snapshot, binds: new Map(binds) }))
  const send: Place["send"] = (headers = {}) =>
    new Promise((resolve, reject) => {
      const request = http.get({ host: "127.0.0.1", port: gateway.port, agent: false, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      })
      request.on("error", reject)
    })
  return { gateway, backend, server, send }
}

const granting =
  (more: Record<string, unknown> = {}) =>
  (_: Asked, index: number): Said => ({
    body: { access_token: `new-${index}`, token_type: "Bearer", expires_in: 3600, ...more },
  })

const headersOf = ({ body }: { readonly body: string }) =>
  (JSON.parse(body) as { headers: Record<string, string> }).headers

const exchange = (more: string) => (host: string) =>
  `{oauthTokenExchange: {host: "${host}", path: /token, clientAuth: {clientId: "g w", clientSecret: "p&w"}, ${more}}}`

describe("token exchange", () => {
  it("asks as RFC 8693 says, and shows the backend the new token in place of the old", async () => {
    const { send, server } = await start(
      exchange(
        `audiences: [a, b], scopes: [x, y], resources: ["https://r.example"], requestedTokenType: "urn:ietf:params:oauth:token-type:access_token", additionalParams: {tenant: "request.headers['x-tenant']"}`,
      ),
      granting({ issued_token_type: "urn:ietf:params:oauth:token-type:access_token" }),
    )
    const got = headersOf(await send({ authorization: "Bearer old", "x-tenant": "t1" }))
    expect(got["authorization"]).toBe("Bearer new-0")
    const [asked] = server.requests
    if (asked === undefined) throw new Error("nobody was asked")
    expect([asked.method, asked.url, asked.headers["authorization"]]).toEqual([
      "POST",
      "/token",
      `Basic ${Buffer.from("g+w:p%26w").toString("base64")}`,
    ])
    expect(formOf(asked)).toEqual([
      ["grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"],
      ["audience", "a"],
      ["audience", "b"],
      ["resource", "https://r.example"],
      ["scope", "x y"],
      ["requested_token_type", "urn:ietf:params:oauth:token-type:access_token"],
      ["tenant", "t1"],
      ["subject_token", "old"],
      ["subject_token_type", "urn:ietf:params:oauth:token-type:access_token"],
    ])
  })

  it("asks once for each token, and shares one question among all who come at once", async () => {
    const { send, server } = await start(exchange(""), async (asked, index) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return granting()(asked, index)
    })
    const all = await Promise.all(Array.from({ length: 8 }, () => send({ authorization: "Bearer one" })))
    expect(new Set(all.map((one) => headersOf(one)["authorization"])).size).toBe(1)
    await send({ authorization: "Bearer one" })
    expect(server.requests.length).toBe(1)
    await send({ authorization: "Bearer two" })
    expect(server.requests.length).toBe(2)
  })

  it("keeps nothing where the cache is off, nor longer than the subject is good for", async () => {
    const off = await start(exchange("cache: {maxEntries: 0}"), granting())
    await off.send({ authorization: "Bearer one" })
    await off.send({ authorization: "Bearer one" })
    expect(off.server.requests.length).toBe(2)
    const soon = signed(ec("k"), "ES256", { exp: Math.floor(Date.now() / 1000) + 10 })
    const short = await start(exchange(""), granting())
    await short.send({ authorization: `Bearer ${soon}` })
    await short.send({ authorization: `Bearer ${soon}` })
    expect(short.server.requests.length).toBe(2)
  })

  it("by the JWT bearer grant sends the token as an assertion", async () => {
    const { send, server } = await start(exchange("grantType: jwtBearer, scopes: [s]"), granting())
    expect(headersOf(await send({ authorization: "Bearer old" }))["authorization"]).toBe("Bearer new-0")
    expect(formOf(server.requests[0] as Asked)).toEqual([
      ["grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
      ["scope", "s"],
      ["assertion", "old"],
    ])
  })

  it("with an actor asks only if the subject lets it act", async () => {
    const key = ec("k")
    const token = (claims: object) => signed(key, "ES256", claims)
    const { send, server } = await start(
      exchange(
        `actorToken: {source: {header: {name: x-actor}}, tokenType: "urn:ietf:params:oauth:token-type:jwt", enforceMayAct: true}`,
      ),
      granting(),
    )
    const subject = token({ sub: "ann", may_act: { sub: "agent", aud: "x" } })
    const as = (actor: string, on = subject) => send({ authorization: `Bearer ${on}`, "x-actor": actor })
    const good = await as(token({ sub: "agent", aud: ["x", "y"] }))
    expect([good.status, headersOf(good)["x-actor"]]).toEqual([200, undefined])
    for (const bad of [
      await as(token({ sub: "other", aud: "x" })),
      await as(token({ sub: "agent" })),
      await as("no token"),
      await as(token({ sub: "agent", aud: "x" }), token({ sub: "ann" })),
      await as(token({ sub: "agent", aud: "x" }), token({ sub: "ann", may_act: {} })),
      await as(token({ sub: "agent", aud: "x" }), "opaque"),
    ]) {
      expect(bad).toEqual({ status: 403, body: "authorization failed" })
    }
    expect((await send({ authorization: `Bearer ${subject}` })).status).toBe(400)
    expect(server.requests.length).toBe(1)
  })

  it("without a token to exchange is the client's fault, and nobody is asked", async () => {
    const { send, server } = await start(exchange(`additionalParams: {a: "request.headers['x']"}`), granting())
    expect(await send()).toEqual({ status: 400, body: "invalid request: there is no token to exchange" })
    expect((await send({ authorization: "Bearer  " })).status).toBe(400)
    expect(await send({ authorization: "Bearer a" })).toEqual({
      status: 400,
      body: "invalid request: a parameter of the token request cannot be computed",
    })
    expect(server.requests.length).toBe(0)
  })

  it.each([
    [
      "a refusal of the token",
      { status: 400, body: { error: "invalid_grant", error_description: "secret" } },
      400,
      "invalid request: the token is not accepted",
    ],
    [
      "a refusal of the gateway",
      { status: 401, body: { error: "invalid_client" } },
      500,
      "backend authentication failed: the token endpoint gave no token",
    ],
    ["a failure", { status: 503, text: "<html>" }, 500, undefined],
    ["no JSON", { text: "access_token=x" }, 500, undefined],
    ["no token", { body: { token_type: "Bearer" } }, 500, undefined],
    ["an empty token", { body: { access_token: "", token_type: "Bearer" } }, 500, undefined],
    ["a token of another kind", { body: { access_token: "a", token_type: "DPoP" } }, 500, undefined],
    ["no kind at all", { body: { access_token: "a" } }, 500, undefined],
    ["a list", { body: [] }, 500, undefined],
    ["null", { body: null }, 500, undefined],
    ["too much", { body: { access_token: "a".repeat(100_000), token_type: "Bearer" } }, 500, undefined],
    ["a token that ends a header", { body: { access_token: "a\r\nx: y", token_type: "Bearer" } }, 500, undefined],
  ] satisfies ReadonlyArray<readonly [string, Said, number, string | undefined]>)(
    "answered with %s is a refusal",
    async (_, said, status, text) => {
      const { backend, send } = await start(exchange(""), () => said)
      const got = await send({ authorization: "Bearer old" })
      expect(got.status).toBe(status)
      if (text !== undefined) expect(got.body).toBe(text)
      expect(got.body).not.toContain("secret")
      expect(backend.requests.length).toBe(0)
    },
  )

  it("of another type than was asked for is a refusal", async () => {
    const { send } = await start(
      exchange(`requestedTokenType: "urn:ietf:params:oauth:token-type:jwt"`),
      granting({ issued_token_type: "urn:ietf:params:oauth:token-type:access_token" }),
    )
    expect((await send({ authorization: "Bearer old" })).status).toBe(500)
  })

  it("from nobody who answers is a refusal", async () => {
    const { backend, send, server } = await start(exchange(""), granting())
    await server.close()
    expect((await send({ authorization: "Bearer old" })).status).toBe(500)
    expect(backend.requests.length).toBe(0)
  })
})

it("a client proves itself with a signed assertion", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  const { send, server } = await start(
    (host) =>
      `{oauthClientCredentials: {host: "${host}", scopes: [s], clientAuth: {method: privateKeyJwt, clientId: gw, signingKey: {file: k.pem}, alg: ES256, kid: k1, assertionAudience: "https://as.example"}}}`,
    granting(),
    { "k.pem": pem },
  )
  expect(headersOf(await send())["authorization"]).toBe("Bearer new-0")
  await send()
  expect(server.requests.length).toBe(1)
  const form = Object.fromEntries(formOf(server.requests[0] as Asked))
  expect(form).toMatchObject({
    grant_type: "client_credentials",
    scope: "s",
    client_id: "gw",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  })
  const { payload, protectedHeader } = await compactVerify(form["client_assertion"] ?? "", createPublicKey(privateKey))
  expect(protectedHeader).toEqual({ alg: "ES256", typ: "JWT", kid: "k1" })
  const claims = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>
  expect(claims).toMatchObject({ iss: "gw", sub: "gw", aud: "https://as.example" })
  expect(String(claims["jti"]).length).toBeGreaterThan(16)
})

describe("access across applications", () => {
  const crossing = (host: string) =>
    `{crossAppAccess: {identityProvider: {host: "${host}", path: /idp, clientAuth: {clientId: a, clientSecret: b}}, resourceAuthorizationServer: {host: "${host}", path: /ras, clientAuth: {clientId: c, clientSecret: d, method: clientSecretPost}}, audience: "https://ras.example", scopes: [s], accessTokenScopes: []}}`
  const idJag = "urn:ietf:params:oauth:token-type:id-jag"

  it("takes two steps, and each asks for what it is for", async () => {
    const { send, server } = await start(crossing, ({ url }) =>
      url === "/idp"
        ? { body: { access_token: "grant", issued_token_type: idJag, token_type: "N_A" } }
        : { body: { access_token: "theirs", token_type: "bearer", expires_in: 600 } },
    )
    expect(headersOf(await send({ authorization: "Bearer id" }))["authorization"]).toBe("Bearer theirs")
    await send({ authorization: "Bearer id" })
    expect(server.requests.map(({ url }) => url)).toEqual(["/idp", "/ras"])
    expect(Object.fromEntries(formOf(server.requests[0] as Asked))).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      requested_token_type: idJag,
      audience: "https://ras.example",
      scope: "s",
      subject_token: "id",
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    })
    expect(Object.fromEntries(formOf(server.requests[1] as Asked))).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: "grant",
      client_id: "c",
      client_secret: "d",
    })
  })

  it("ends where the first step gives something else, or the second gives nothing", async () => {
    const other = await start(crossing, granting())
    expect((await other.send({ authorization: "Bearer id" })).status).toBe(500)
    expect(other.server.requests.length).toBe(1)
    const refused = await start(crossing, ({ url }) =>
      url === "/idp"
        ? { body: { access_token: "grant", issued_token_type: idJag } }
        : { status: 400, body: { error: "invalid_grant" } },
    )
    expect((await refused.send({ authorization: "Bearer id" })).status).toBe(500)
  })
})
