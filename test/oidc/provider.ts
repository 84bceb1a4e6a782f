/**
 * An OpenID provider on a real socket: discovery, keys, authorization, tokens, logout. It checks what a provider checks
 * (client, redirect, PKCE, codes that are good once, refresh tokens that rotate) and can be told to do wrong.
 */
import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import { localServer, type Asked, type Said } from "../node/credentials/local.ts"
import { ec, jwks, signed, type Signer } from "../stages/5-policy/tokens.ts"

export interface Misbehaviour {
  /** Changes the claims of the next id tokens. */
  claims?: (claims: Record<string, unknown>) => Record<string, unknown>
  /** Signs with a key that is not published. */
  signer?: Signer
  token?: (asked: Asked) => Said | undefined
  /** What it publishes in place of its keys, told with them. */
  keys?: (keys: ReadonlyArray<Record<string, unknown>>) => Said
  metadata?: (metadata: Record<string, unknown>) => Record<string, unknown>
  lifetimeSeconds?: number
  /** Answers a path only when this is over. */
  hold?: (path: string) => Promise<void>
  refresh?: boolean
}

export interface Provider {
  readonly issuer: string
  readonly does: Misbehaviour
  /** Requests of the token endpoint, as forms. */
  readonly tokenForms: Array<Record<string, string>>
  readonly requests: ReadonlyArray<Asked>
  /** Logs the user in, as a browser that was sent there would; the result is where it is sent back to. */
  readonly authorize: (location: string, user?: string) => string
  /** Signs something else with its key. */
  readonly sign: (claims: object) => string
  readonly close: () => Promise<void>
}

const client = { id: "gateway", secret: "s3cr%t & more" }
export { client }

export const openIdProvider = async (does: Misbehaviour = {}): Promise<Provider> => {
  const key = ec("op-1")
  const codes = new Map<
    string,
    { readonly nonce: string; readonly challenge: string; readonly redirect: string; readonly user: string }
  >()
  const refreshes = new Map<string, string>()
  const tokenForms: Array<Record<string, string>> = []
  let issuer = ""

  const idToken = (user: string, nonce: string | undefined): string => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      aud: client.id,
      sub: user,
      iat: now,
      exp: now + (does.lifetimeSeconds ?? 3600),
      ...(nonce === undefined ? {} : { nonce }),
    }
    return signed(does.signer ?? key, "ES256", does.claims?.(claims) ?? claims)
  }

  const granted = (user: string, nonce: string | undefined): Said => {
    const refresh = randomBytes(8).toString("hex")
    if (does.refresh === true) refreshes.set(refresh, user)
    return {
      body: {
        access_token: "at",
        token_type: "Bearer",
        id_token: idToken(user, nonce),
        ...(does.refresh === true ? { refresh_token: refresh } : {}),
      },
    }
  }

  const token = (asked: Asked): Said => {
    const form = Object.fromEntries(new URLSearchParams(asked.body.toString()))
    tokenForms.push(form)
    const wrong = does.token?.(asked)
    if (wrong !== undefined) return wrong
    const basic = /^Basic (.*)$/.exec(asked.headers["authorization"] ?? "")?.[1]
    const [id = "", secret = ""] = Buffer.from(basic ?? "", "base64")
      .toString()
      .split(":")
      .map((one) => new URLSearchParams(`x=${one}`).get("x") ?? "")
    if (id !== client.id || secret !== client.secret) return { status: 401, body: { error: "invalid_client" } }
    if (form["grant_type"] === "refresh_token") {
      const user = refreshes.get(form["refresh_token"] ?? "")
      refreshes.delete(form["refresh_token"] ?? "")
      return user === undefined ? { status: 400, body: { error: "invalid_grant" } } : granted(user, undefined)
    }
    const code = codes.get(form["code"] ?? "")
    codes.delete(form["code"] ?? "")
    const challenge = createHash("sha256")
      .update(form["code_verifier"] ?? "")
      .digest("base64url")
    return code === undefined || code.challenge !== challenge || code.redirect !== form["redirect_uri"]
      ? { status: 400, body: { error: "invalid_grant" } }
      : granted(code.user, code.nonce)
  }

  const server = await localServer(async (asked) => {
    const path = asked.url.split("?")[0] ?? ""
    await does.hold?.(path)
    switch (path) {
      case "/.well-known/openid-configuration": {
        const metadata = {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          end_session_endpoint: `${issuer}/logout`,
          token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        }
        return { body: does.metadata?.(metadata) ?? metadata }
      }
      case "/jwks":
        return does.keys?.([key.jwk]) ?? { text: jwks(key), type: "application/json" }
      case "/token":
        return token(asked)
      default:
        return { status: 404, body: {} }
    }
  })
  issuer = server.url

  return {
    issuer,
    does,
    tokenForms,
    requests: server.requests,
    sign: (claims) => signed(key, "ES256", claims),
    close: server.close,
    authorize: (location, user = "ann") => {
      const asked = new URL(location)
      if (`${asked.origin}${asked.pathname}` !== `${issuer}/authorize`) throw new Error(`sent elsewhere: ${location}`)
      const get = (name: string): string => {
        const value = asked.searchParams.get(name)
        if (value === null) throw new Error(`${name} is missing in ${location}`)
        return value
      }
      if (get("response_type") !== "code" || get("client_id") !== client.id) throw new Error(`not ours: ${location}`)
      if (get("code_challenge_method") !== "S256") throw new Error("no PKCE")
      if (!get("scope").split(" ").includes("openid")) throw new Error("not OpenID")
      const code = randomBytes(8).toString("hex")
      codes.set(code, { nonce: get("nonce"), challenge: get("code_challenge"), redirect: get("redirect_uri"), user })
      const back = new URL(get("redirect_uri"))
      back.searchParams.set("code", code)
      back.searchParams.set("state", get("state"))
      return back.href
    },
  }
}

/** Remembers cookies as a browser does for one host. */
export class Browser {
  readonly jar = new Map<string, string>()
  private readonly port: number

  constructor(port: number) {
    this.port = port
  }

  async get(path: string, headers: Record<string, string> = {}, method = "GET") {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await new Promise<{ status: number; fields: http.IncomingHttpHeaders; body: string }>(
      (resolve, reject) => {
        const request = http.request(
          {
            host: "127.0.0.1",
            port: this.port,
            path,
            method,
            agent: false,
            headers: {
              accept: "text/html,*/*",
              "sec-fetch-mode": "navigate",
              ...(cookie === "" ? {} : { cookie }),
              ...headers,
            },
          },
          (incoming) => {
            const chunks: Array<Buffer> = []
            incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
            incoming.on("end", () =>
              resolve({
                status: incoming.statusCode ?? 0,
                fields: incoming.headers,
                body: Buffer.concat(chunks).toString(),
              }),
            )
          },
        )
        request.on("error", reject)
        request.end()
      },
    )
    const cookies = response.fields["set-cookie"] ?? []
    for (const line of cookies) {
      const [pair = "", ...attributes] = line.split("; ")
      const equals = pair.indexOf("=")
      if (attributes.includes("Max-Age=0")) this.jar.delete(pair.slice(0, equals))
      else this.jar.set(pair.slice(0, equals), pair.slice(equals + 1))
    }
    return {
      status: response.status,
      location: response.fields.location ?? "",
      cookies,
      body: response.body,
      retryAfter: response.fields["retry-after"],
    }
  }
}
