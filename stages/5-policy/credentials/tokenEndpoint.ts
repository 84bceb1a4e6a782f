/** Asking a token endpoint (RFC 6749 §3.2): the form, who is asking, and what of the answer can be believed. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Json } from "effect/Schema"
import { fromBase64, textToBase64 } from "../../../protocols/base64.ts"
import { defaults } from "../../../ir/defaults.ts"
import type { ClientAuth, TokenEndpoint } from "../../../ir/policy/TokenEndpoint.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import { Exchange, type Reply, Request } from "../../Exchange.ts"
import type { Cryptography } from "../../ports/Cryptography.ts"
import type { Credentials } from "../../ports/Credentials.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import { failed, reasonOf } from "./Wallet.ts"

/** Tokens are small; whoever sends more does not send one. */
export const REPLY_BYTES_MAX = 65_536

export type Field = readonly [name: string, value: string]

export interface Granted {
  readonly accessToken: Redacted.Redacted
  readonly tokenType: string
  readonly issuedTokenType: string | undefined
  /** Absent: nobody said. */
  readonly expiresInMillis: number | undefined
}

/** What went wrong, and whether it is the fault of what was sent. */
export interface Denied {
  readonly detail: string
  readonly isClientsFault: boolean
}

export interface Asker {
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly credentials: Pick<Credentials, "signJwt">
}

const encode = (fields: ReadonlyArray<Field>): string => new URLSearchParams(fields.map(([a, b]) => [a, b])).toString()

/** As user and password go into a Basic header (RFC 6749 §2.3.1). */
const formEncoded = (text: string): string => encode([["", text]]).slice(1)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
const assertionMillis = 300_000

/** The certificates of a PEM, each in base64. */
const derOf = (pem: string): ReadonlyArray<string> =>
  Array.from(pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g), ([, text = ""]) =>
    text.replace(/\s+/g, ""),
  )

const assertion = async (
  auth: Extract<ClientAuth, { readonly _tag: "PrivateKeyJwt" }>,
  { clock, credentials, cryptography }: Asker,
): Promise<string> => {
  const header: Record<string, Json> = { typ: "JWT" }
  if (auth.kid !== undefined) header["kid"] = auth.kid
  if (auth.certificate !== undefined) {
    const chain = derOf(auth.certificate.pem)
    const [leaf = ""] = chain
    if (auth.certificate.header === "x5c") header["x5c"] = chain
    else header["x5t#S256"] = cryptography.digest(fromBase64(leaf))
  }
  const now = clock.wallMillis()
  const from = Math.floor((now - defaults.jwtBackdatingMillis) / 1000)
  return credentials.signJwt(
    header,
    {
      iss: auth.clientId,
      sub: auth.clientId,
      aud: auth.assertionAudience,
      jti: cryptography.random(16),
      iat: from,
      nbf: from,
      exp: Math.floor((now + assertionMillis) / 1000),
    },
    auth.signingKeyPem,
    auth.algorithm,
  )
}

interface Proof {
  readonly fields: ReadonlyArray<Field>
  readonly authorization: string | undefined
}

const nobody: Proof = { fields: [], authorization: undefined }

/** How a client proves who it is. */
export const proofOf = async (auth: ClientAuth | undefined, asker: Asker): Promise<Proof> => {
  switch (auth?._tag) {
    case undefined:
      return nobody
    case "ClientSecretBasic": {
      const pair = `${formEncoded(auth.clientId)}:${formEncoded(Redacted.value(auth.clientSecret))}`
      return { fields: [], authorization: `Basic ${textToBase64(pair)}` }
    }
    case "ClientSecretPost":
      return {
        fields: [
          ["client_id", auth.clientId],
          ...(auth.clientSecret === undefined
            ? []
            : ([["client_secret", Redacted.value(auth.clientSecret)]] satisfies ReadonlyArray<Field>)),
        ],
        authorization: undefined,
      }
    case "PrivateKeyJwt":
      return {
        fields: [
          ["client_id", auth.clientId],
          ["client_assertion_type", assertionType],
          ["client_assertion", await assertion(auth, asker)],
        ],
        authorization: undefined,
      }
  }
}

const formRequest = (path: string, fields: ReadonlyArray<Field>, authorization: string | undefined): Request => {
  const [bare = "/", query] = path.split("?", 2)
  const headers = new Headers([
    "accept",
    "application/json",
    "accept-encoding",
    "identity",
    "content-type",
    "application/x-www-form-urlencoded",
  ])
  if (authorization !== undefined) headers.set("authorization", authorization)
  return new Request("POST", "http", "", "", bare, query, "1.1", headers, Body.text(encode(fields)), undefined)
}

const denied = (detail: string, isClientsFault = false): Denied => ({ detail, isClientsFault })

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The JSON of a reply that is not too long to be any. */
export const jsonOf = (reply: Reply, bytesMax: number): Effect.Effect<unknown, string> =>
  Effect.flatMap(
    Effect.mapError(Body.collect(reply.body, bytesMax), ({ message }) => message),
    (collected): Effect.Effect<unknown, string> => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return Effect.fail(`its answer is longer than ${bytesMax} bytes`)
      }
      try {
        return Effect.succeed(JSON.parse(utf8.decode(collected.bytes)))
      } catch {
        return Effect.fail("its answer is not JSON")
      }
    },
  )

const textIn = (document: unknown, name: string): string | undefined => {
  const value: unknown =
    typeof document === "object" && document !== null && Object.hasOwn(document, name)
      ? Reflect.get(document, name)
      : undefined
  return typeof value === "string" && value !== "" ? value : undefined
}

/** Only what OAuth calls an error code: whatever else a server says is not ours to repeat. */
const codeIn = (document: unknown): string => {
  const code = textIn(document, "error")
  return code !== undefined && /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(code) ? code : "no error code"
}

export const grantedOf = (document: unknown): Granted | string => {
  const accessToken = textIn(document, "access_token")
  if (accessToken === undefined) return "there is no access token in its answer"
  const seconds: unknown = Reflect.get(document as object, "expires_in")
  const number = typeof seconds === "string" ? Number(seconds) : seconds
  return {
    accessToken: Redacted.make(accessToken),
    tokenType: textIn(document, "token_type") ?? "",
    issuedTokenType: textIn(document, "issued_token_type"),
    expiresInMillis: typeof number === "number" && number >= 0 && number < 1e12 ? number * 1000 : undefined,
  }
}

/** An exchange of nobody's: what is fetched for many must not end with the first of them. */
const detached = (exchange: Exchange, request: Request, nowMillis: number): Exchange => {
  const alone = new Exchange(exchange.plan, exchange.bound, request, nowMillis, undefined, undefined)
  alone.listener = exchange.listener
  alone.route = exchange.route
  alone.match = exchange.match
  alone.identity = exchange.identity
  alone.notes = exchange.notes
  // Whoever asked first has the span of it.
  alone.trace = exchange.trace
  return alone
}

/** Asks for a token, for an exchange but not in its time. */
export const ask = (
  { callee, clientAuth, path }: TokenEndpoint,
  asker: Asker,
  exchange: Exchange,
  fields: ReadonlyArray<Field>,
): Effect.Effect<Granted, Denied> =>
  Effect.tryPromise({ try: () => proofOf(clientAuth, asker), catch: (error) => denied(reasonOf(error)) }).pipe(
    Effect.flatMap((proof) => {
      const request = formRequest(path, [...fields, ...proof.fields], proof.authorization)
      const call = exchange.plan.callees.to(callee, "Credential")
      return Effect.mapError(
        call(detached(exchange, request, asker.clock.nowMillis()), request, defaults.tokenEndpointTimeoutMillis),
        ({ _tag }) => denied(`it cannot be reached (${_tag})`),
      )
    }),
    Effect.flatMap((reply): Effect.Effect<Granted, Denied> => {
      const { status } = reply
      return Effect.flatMap(
        Effect.mapError(jsonOf(reply, REPLY_BYTES_MAX), (why) => denied(`status ${status}, ${why}`, isFault(status))),
        (document) => {
          if (status < 200 || status > 299) {
            return Effect.fail(denied(`status ${status}, ${codeIn(document)}`, isFault(status)))
          }
          const granted = grantedOf(document)
          return typeof granted === "string" ? Effect.fail(denied(granted)) : Effect.succeed(granted)
        },
      )
    }),
  )

/** 401 and 403 say that the gateway itself was not welcome. */
const isFault = (status: number): boolean => status >= 400 && status < 500 && status !== 401 && status !== 403

/** The log learns why; the client only whose fault it was. */
export const refusalOf = ({ detail, isClientsFault }: Denied): Effect.Effect<never, Refusal> =>
  Effect.andThen(
    Effect.logWarning(`the token endpoint gave no token: ${detail}`),
    Effect.fail<Refusal>(
      isClientsFault
        ? { _tag: "InvalidRequest", detail: "the token is not accepted" }
        : failed("the token endpoint gave no token"),
    ),
  )
