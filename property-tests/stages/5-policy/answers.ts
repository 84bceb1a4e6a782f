/** What services, providers and clouds may answer that a policy asks, sensible or not. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../../stages/Body.ts"
import type { Call } from "../../../stages/Call.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import type { Credentials } from "../../../stages/ports/Credentials.ts"
import type { Ask } from "../../../stages/5-policy/ask.ts"
import { ec, jwks, rsa, signed, unsigned } from "../../../test/stages/5-policy/tokens.ts"
import { flowOf } from "../../../test/stages/exchange.ts"

const es = ec("k1")
const rs = rsa("k2")
export const keys = jwks(es, rs)
export const issuer = "https://issuer.example"
const now = 1_700_000_001
const token = (claims: object): string => signed(es, "ES256", { iss: issuer, sub: "ann", exp: now + 300, ...claims })
export const tokens = [
  token({ aud: "a", scope: "read", may_act: { sub: "bob" }, nonce: "n" }),
  token({ sub: { toString: 1 }, groups: [["a"], { a: null }], roles: "r" }),
  signed(rs, "PS256", { iss: issuer, exp: now + 300 }),
  signed(es, "ES256", { iss: issuer, exp: now - 300 }),
  unsigned({ alg: "none" }, { iss: issuer }),
  unsigned({ alg: "ES256", kid: "k9" }, { iss: issuer }, "AAAA"),
  "a.b.c",
  "..",
]

const frame = (bytes: Uint8Array): Uint8Array => {
  const framed = new Uint8Array(5 + bytes.byteLength)
  new DataView(framed.buffer).setUint32(1, bytes.byteLength)
  framed.set(bytes, 5)
  return framed
}

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  registration_endpoint: `${issuer}/register`,
}

export const text = fc.oneof(
  fc.constantFrom(
    "",
    "{}",
    "null",
    keys,
    JSON.stringify(metadata),
    JSON.stringify({ ...metadata, authorization_endpoint: "not a URL", end_session_endpoint: "::" }),
    JSON.stringify({ access_token: "t", token_type: "Bearer", id_token: tokens[0], refresh_token: "r" }),
    JSON.stringify({ access_token: "t", issued_token_type: "x", expires_in: -1 }),
    '{"error":"invalid_grant"}',
  ),
  fc.json(),
  fc.string({ unit: "binary", maxLength: 12 }),
)

/** Bytes that are a message of gRPC, or hardly. */
export const bytes = fc.oneof(
  text.map((one) => new TextEncoder().encode(one)),
  fc.uint8Array({ maxLength: 24 }).map(frame),
  fc.uint8Array({ maxLength: 24 }),
)

export const fieldValue = fc.oneof(
  fc.constantFrom(
    ...tokens.map((one) => `Bearer ${one}`),
    "Basic YW5uOnNlc2FtZQ==",
    "Basic Og==",
    "Bearer key",
    "null",
    "10.1.2.3, [::1]:80, 192.0.2.1:443",
    "https://evil.example",
    "application/grpc",
    "application/x-www-form-urlencoded",
    "0",
    "cross-site",
    "a=b; c",
    "text/html",
    "navigate",
    `agw_oidc_s_0=${"x".repeat(40)}; agw_oidc_t_0.AAAAAAAA=y`,
    "0",
  ),
  fc.string({ maxLength: 10 }).map((one) => one.replaceAll(/[^\x20-\x7e]/g, "?").trim()),
  fc.uint8Array({ maxLength: 6 }).map((some) => String.fromCharCode(...some).replaceAll(/[^\x21-\xff]|\x7f/g, "!")),
)
export const fieldName = fc.constantFrom(
  "authorization",
  "proxy-authorization",
  "cookie",
  "origin",
  "sec-fetch-site",
  "sec-fetch-mode",
  "accept",
  "content-type",
  "access-control-request-method",
  "access-control-request-headers",
  "x-a",
  "x-key",
  "x-forwarded-proto",
  "x-forwarded-for",
  "grpc-status",
  "grpc-message",
  "location",
  "set-cookie",
  "content-encoding",
)
export const fields = fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 8 })

export interface Answered {
  readonly status: number
  readonly fields: ReadonlyArray<readonly [string, string]>
  readonly bytes: Uint8Array
  readonly text: string
  readonly fails: boolean
  readonly breaks: boolean
}
export const answered: fc.Arbitrary<Answered> = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 204, 302, 304, 400, 401, 403, 404, 500, 503),
  fields: fc.oneof(fields, fc.constant([["content-type", "application/grpc"]] as const)),
  bytes,
  text,
  fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  breaks: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
})

const headersOf = (pairs: ReadonlyArray<readonly [string, string]>): Headers => new Headers(pairs.flat())

/** A body that ends before its end. */
const brokenBody = (bytes: Uint8Array): Body.Flow => {
  const held = new Body.HeldFlow(undefined)
  held.source = { resume: () => {}, cancel: () => {} }
  held.write(bytes)
  held.fail(Body.flowFailure("gone", "it went away"))
  return held
}

export const called =
  ({ breaks, bytes, fails, fields, status }: Answered): Call =>
  (_, request) =>
    Effect.suspend(() => {
      Body.discard(request.body)
      return fails
        ? Effect.fail({ _tag: "UpstreamFailed", detail: "gone" } as const)
        : Effect.succeed<Reply>({
            status,
            headers: headersOf(fields),
            body: breaks ? brokenBody(bytes) : flowOf([bytes]),
            origin: "upstream",
          })
    })

export const asking =
  ({ fails, fields, status, text }: Answered): Ask =>
  () =>
    fails ? Effect.fail("gone") : Effect.succeed({ status, headers: headersOf(fields), text })

export const credentials = ({ fails, text }: Answered): Credentials => {
  const given = async () => {
    if (fails) throw new Error("none")
    return { value: Redacted.make(text), expiresMillis: Infinity }
  }
  return {
    gcp: given,
    azure: given,
    aws: async () => {
      await given()
      return { accessKeyId: "A", secretAccessKey: Redacted.make("S"), expiresMillis: Infinity }
    },
    awsRegion: async () => (fails ? undefined : "eu-west-1"),
    awsSign: async () => ({ fields: ["authorization", "AWS4"], signature: "0".repeat(64) }),
    awsChunks: () => () => "0".repeat(64),
    copilot: async () => (await given()).value,
    signJwt: async () => Redacted.value((await given()).value),
  }
}
