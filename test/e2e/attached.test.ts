/** Who may pass, attached everywhere it may be: the same from the file and from code, there and nowhere else. */
import * as Redacted from "effect/Redacted"
import { hashSync } from "bcryptjs"
import * as http from "node:http"
import * as https from "node:https"
import { afterEach, describe, expect, it } from "vitest"
import type { Attachment } from "../../ir/Attachment.ts"
import type { AttachmentKey } from "../../ir/Key.ts"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import type { CredentialLocation } from "../../ir/policy/CredentialLocation.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Target } from "../../ir/Target.ts"
import { Browser, client, openIdProvider } from "../oidc/provider.ts"
import { ec, jwks, signed } from "../stages/5-policy/tokens.ts"
import { cel } from "../stages/5-policy/computing.ts"
import { httpUpstream, pem, startGateway } from "./harness.ts"
import { type Closing, snapshotOf } from "./services/place.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

// Where ---------------------------------------------------------------------------------------------------------------

/** What is asked for: two rules of one route, at two listeners, and another route of each. */
const asked = ["a.test/one", "b.test/two", "a.test/out", "b.test/out", "a.test/nowhere"] as const
type Asked = (typeof asked)[number]

interface Where {
  readonly guards: ReadonlyArray<Asked>
  readonly phase: "gateway" | "route"
  /** What it is attached to, as the file names it and as code does; `inline` is written into the first rule. */
  readonly target?: readonly [string, Target]
  readonly inline?: "rule" | "listener"
}

const gateway = { _tag: "Gateway", name: "default", namespace: "default" } as const
const route = { _tag: "Route", name: "in", namespace: "default" } as const
const ofGateway = "gateway: {gatewayName: default, gatewayNamespace: default"
const ofRoute = "route: {name: in, namespace: default"
const ofListener = [`${ofGateway}, listenerName: default/a}`, { ...gateway, listener: "default/a" }] as const

const routed = asked.filter((one) => one !== "a.test/nowhere")
const ofA = asked.filter((one) => one.startsWith("a.test"))

const places: Readonly<Record<string, Where>> = {
  "a gateway, before routes are chosen": { target: [`${ofGateway}}`, gateway], phase: "gateway", guards: asked },
  "a gateway, for all of its routes": { target: [`${ofGateway}}`, gateway], phase: "route", guards: routed },
  "a listener, before routes are chosen": { target: ofListener, phase: "gateway", guards: ofA },
  "a listener, for all of its routes": {
    target: ofListener,
    phase: "route",
    guards: ["a.test/one", "a.test/out"],
  },
  "a route": { target: [`${ofRoute}}`, route], phase: "route", guards: ["a.test/one", "b.test/two"] },
  "a rule": {
    target: [`${ofRoute}, ruleName: one}`, { ...route, ruleName: "one" }],
    phase: "route",
    guards: ["a.test/one"],
  },
  "a rule, in its own words": { inline: "rule", phase: "route", guards: ["a.test/one"] },
  "a listener, in its own words": { inline: "listener", phase: "gateway", guards: ofA },
}

// What ----------------------------------------------------------------------------------------------------------------

interface Kind {
  /** In one line. */
  readonly file: string
  readonly code: TrafficPolicy
  /** Not before a route is chosen. */
  readonly isOfRoutes?: boolean
  readonly refused: number
  /** What somebody says who is known. */
  readonly known: (port: number) => Promise<Record<string, string>>
  /** Over TLS, where whoever is known has a certificate. */
  readonly isTls?: boolean
}

const key = ec("k1")
const issuer = "https://issuer.example"
const location: CredentialLocation = { _tag: "Header", name: "authorization" as never, prefix: "Bearer " }
const token = signed(key, "ES256", { iss: issuer, aud: "gw", sub: "ann", exp: Math.floor(Date.now() / 1000) + 600 })
const saying = (headers: Record<string, string>) => () => Promise.resolve(headers)
const rule = (expression: string): Pick<Kind, "file" | "code" | "refused"> => ({
  file: `authorization: {rules: ['${expression}']}`,
  code: { _tag: "Authorization", rules: [{ effect: "allow", expression: cel(expression) }] },
  refused: 403,
})

const htpasswd = `ann:${hashSync("sesame", 4)}`

const loggingIn = async (): Promise<Kind> => {
  const provider = await openIdProvider()
  closing.push(provider.close)
  const redirect = "http://a.test/one/callback"
  return {
    file: `oidc: {issuer: "${provider.issuer}", clientId: ${client.id}, clientSecret: ${JSON.stringify(client.secret)}, redirectURI: "${redirect}", scopes: [openid], cookieSecret: "${"0f".repeat(32)}"}`,
    code: {
      _tag: "Oidc",
      id: "policy/guard",
      issuer: provider.issuer,
      provider: { _tag: "Discovered" },
      clientId: client.id,
      clientSecret: Redacted.make(client.secret),
      redirectUri: redirect,
      scopes: [],
      cookieKey: Redacted.make("0f".repeat(32)),
    },
    refused: 302,
    known: async (port) => {
      const browser = new Browser(port)
      const sent = await browser.get("/one", { host: "a.test" })
      const back = new URL(provider.authorize(sent.location))
      expect((await browser.get(`${back.pathname}${back.search}`, { host: "a.test" })).status).toBe(302)
      return { cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join("; ") }
    },
  }
}

const kinds: Readonly<Record<string, () => Kind | Promise<Kind>>> = {
  "a token": () => ({
    file: `jwtAuth: {mode: strict, issuer: "${issuer}", audiences: [gw], jwks: '${jwks(key)}'}`,
    code: {
      _tag: "JwtAuth",
      mode: "strict",
      location,
      providers: [{ issuer, audiences: ["gw"], jwks: { _tag: "Inline", text: jwks(key) }, requiredClaims: [] }],
    },
    refused: 401,
    known: saying({ authorization: `Bearer ${token}` }),
  }),
  "a password": () => ({
    file: "basicAuth: {mode: strict, htpasswd: {file: /htpasswd}}",
    code: {
      _tag: "BasicAuth",
      mode: "strict",
      realm: "r",
      htpasswd: Redacted.make(htpasswd),
      location: { ...location, prefix: "Basic " },
    },
    refused: 401,
    known: saying({ authorization: `Basic ${Buffer.from("ann:sesame").toString("base64")}` }),
  }),
  "a key": () => ({
    file: "apiKey: {mode: strict, keys: [{key: sesame}]}",
    code: {
      _tag: "ApiKey",
      mode: "strict",
      location,
      keys: [{ value: { _tag: "Plain", key: Redacted.make("sesame") } }],
    },
    refused: 401,
    known: saying({ authorization: "Bearer sesame" }),
  }),
  "a token of an MCP client": () => ({
    file: `mcpAuthentication: {mode: strict, issuer: "${issuer}", audiences: [gw], jwks: '${jwks(key)}', resourceMetadata: {}}`,
    code: {
      _tag: "McpAuthentication",
      mode: "strict",
      issuer,
      audiences: ["gw"],
      jwks: { _tag: "Inline", text: jwks(key) },
      resourceMetadata: {},
      location,
      requiredClaims: [],
      scopes: [],
      stepUp: [],
    },
    isOfRoutes: true,
    refused: 401,
    known: saying({ authorization: `Bearer ${token}` }),
  }),
  "a session": loggingIn,
  "a rule": () => ({ ...rule('request.headers["x-who"] == "ann"'), known: saying({ "x-who": "ann" }) }),
  "a client certificate": () => ({ ...rule('source.subjectCn == "agent-7"'), known: saying({}), isTls: true }),
}

// Together ------------------------------------------------------------------------------------------------------------

const files = {
  "/htpasswd": htpasswd,
  "/server.pem": pem("server.pem"),
  "/server.key": pem("server.key"),
  "/ca.pem": pem("ca.pem"),
}
const tls = "tls: {cert: /server.pem, key: /server.key, root: /ca.pem, clientCertificates: optional}"

const fileOf = (to: number, { isTls }: Kind, where: Where | undefined, policy: string): string => {
  // Listeners have their policies among their other fields, routes have them in one of their own.
  const words = (place: Where["inline"]) =>
    where?.inline !== place ? "" : place === "rule" ? `policies: {${policy}}` : policy
  const listener = (name: string, more: string) =>
    `    - {name: ${name}, hostname: ${name}.test${isTls === true ? `, ${tls}` : ""}${more === "" ? "" : `, ${more}`}}`
  const backends = `backends: [{host: "127.0.0.1:${to}"}]`
  return `
gateways:
  default:
    port: 1
    listeners:
${listener("a", words("listener"))}
${listener("b", "")}
${where?.target === undefined ? "" : `policies: [{name: {name: guard, namespace: default}, target: {${where.target[0]}}, phase: ${where.phase}, policy: {${policy}}}]`}
routes:
- {name: in, ruleName: one, gateways: default/a, matches: [{path: {pathPrefix: /one}}], ${backends}, ${words("rule")}}
- {name: in, ruleName: two, gateways: default/b, matches: [{path: {pathPrefix: /two}}], ${backends}}
- {name: out, gateways: default/a, matches: [{path: {pathPrefix: /out}}], ${backends}}
- {name: out, gateways: default/b, matches: [{path: {pathPrefix: /out}}], ${backends}}
`
}

/** The same as a value, for which no file was read: the bare gateway, and what guards it written down by hand. */
const codeOf = (bare: Snapshot, where: Where, policy: TrafficPolicy): Snapshot => {
  if (where.target === undefined) {
    const routes = [...bare.routes].map(
      ([name, one]) => [name, one.name.ruleName === "one" ? { ...one, policies: [policy] } : one] as const,
    )
    return { ...bare, routes: new Map(routes) }
  }
  const attachment: Attachment = {
    key: "guard" as AttachmentKey,
    target: where.target[1],
    inheritance: "default",
    policy: { _tag: "Traffic", phase: where.phase, policy },
  }
  return { ...bare, attachments: new Map([[attachment.key, attachment]]) }
}

const certificate = { cert: pem("client.pem"), key: pem("client.key") }

const statusOf = (
  port: number,
  one: Asked,
  headers: Record<string, string>,
  { isTls }: Kind,
  isKnown: boolean,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const [host = "", path] = one.split("/")
    const options = {
      host: "127.0.0.1",
      port,
      path: `/${path}`,
      agent: false,
      // A browser's, since others are not sent to log in.
      headers: { host, accept: "text/html", "sec-fetch-mode": "navigate", ...headers },
    }
    const took = (response: http.IncomingMessage) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    }
    const request =
      isTls === true
        ? https.request(
            { ...options, servername: host, rejectUnauthorized: false, ...(isKnown ? certificate : {}) },
            took,
          )
        : http.request(options, took)
    request.on("error", reject)
    request.end()
  })

describe.each(Object.keys(kinds))("%s", (name) => {
  it.each(["the file", "code"])("guards the place where it is attached, and no other, from %s", async (from) => {
    const kind = await kinds[name]?.()
    if (kind === undefined) throw new Error(name)
    const backend = await httpUpstream()
    closing.push(backend.close)
    const seen: Record<string, unknown> = {}
    const right: Record<string, unknown> = {}
    for (const [place, where] of Object.entries(places)) {
      if (kind.isOfRoutes === true && where.phase === "gateway") continue
      // What a listener says itself is an attachment to it by the time it is a value.
      if (from === "code" && where.inline === "listener") continue
      const snapshot =
        from === "code"
          ? codeOf(await snapshotOf(fileOf(backend.port, kind, undefined, ""), files), where, kind.code)
          : await snapshotOf(fileOf(backend.port, kind, where, kind.file), files)
      const started = await startGateway(snapshot)
      closing.push(started.close)
      const statuses = async (headers: Record<string, string>, isKnown: boolean) =>
        Object.fromEntries(
          await Promise.all(
            asked.map(async (one) => [one, await statusOf(started.port, one, headers, kind, isKnown)] as const),
          ),
        )
      const free = (one: Asked) => (one === "a.test/nowhere" ? 404 : 200)
      seen[place] = {
        stranger: await statuses({}, false),
        known: await statuses(await kind.known(started.port), true),
      }
      right[place] = {
        stranger: Object.fromEntries(asked.map((one) => [one, where.guards.includes(one) ? kind.refused : free(one)])),
        known: Object.fromEntries(asked.map((one) => [one, free(one)])),
      }
    }
    expect(seen).toEqual(right)
  })
})
