/**
 * An authorization server as the standards have it, whole enough to be lied about: metadata, registration, client
 * documents, code with PKCE, refresh tokens that are good once, revocation. It knows people by the cookie `as_user`.
 */
import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

type Json = Record<string, unknown>

export interface AuthOptions {
  /** Changes what it says of itself. */
  readonly metadata?: (document: Json, url: string) => Json
  readonly lifetimeSeconds?: number
  readonly refresh?: "rotating" | "kept" | "none"
  readonly registers?: boolean
  /** Reads documents of clients itself, as it would from their own address. */
  readonly clientDocuments?: (clientId: string) => Promise<Json>
  /** What goes back to the client beside code and state; null leaves `iss` out. */
  readonly iss?: string | null
  readonly denies?: boolean
  readonly clients?: Readonly<Record<string, string>>
  /** Path of the metadata instead of the one of RFC 8414. */
  readonly metadataPath?: string
  readonly authMethods?: ReadonlyArray<string>
  readonly scopes?: ReadonlyArray<string>
}

interface Code {
  readonly client: string
  readonly redirect: string
  readonly challenge: string
  readonly resource: string | null
  readonly scope: string
  readonly user: string
}

export interface TokenFacts {
  readonly user: string
  readonly client: string
  readonly resource: string | null
  readonly scope: string
}

export interface AuthServer {
  readonly url: string
  readonly registered: Map<string, Json>
  /** Every form that came to the token endpoint. */
  readonly tokenRequests: Array<URLSearchParams & { readonly authorization?: string }>
  readonly authorizations: Array<URLSearchParams>
  readonly revoked: Array<string>
  readonly tokens: Map<string, TokenFacts>
  readonly refreshTokens: Map<string, TokenFacts & { used: boolean }>
  readonly codes: Map<string, Code>
  /** Paths that were asked for. */
  readonly asked: Array<string>
  /** Can be changed while it runs. */
  options: AuthOptions
  /** Until it resolves, the token endpoint answers nobody. */
  hold: Promise<unknown> | undefined
  down: boolean
  readonly close: () => Promise<void>
}

const secret = (kind: string): string => `${kind}-${randomBytes(18).toString("base64url")}`

export const authorizationServer = async (options: AuthOptions = {}): Promise<AuthServer> => {
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      void answer(request, response, Buffer.concat(chunks).toString()).catch((cause: unknown) => {
        response.writeHead(500).end(String(cause))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const state: AuthServer = {
    url,
    registered: new Map(),
    tokenRequests: [],
    authorizations: [],
    revoked: [],
    tokens: new Map(),
    refreshTokens: new Map(),
    codes: new Map(),
    asked: [],
    options,
    hold: undefined,
    down: false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  const document = (): Json => {
    const { authMethods, clientDocuments, metadata, registers = true, scopes } = state.options
    const plain: Json = {
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      revocation_endpoint: `${url}/revoke`,
      response_types_supported: ["code"],
      grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: authMethods ?? ["client_secret_basic", "client_secret_post", "none"],
      authorization_response_iss_parameter_supported: state.options.iss !== null,
      ...(registers ? { registration_endpoint: `${url}/register` } : {}),
      ...(clientDocuments === undefined ? {} : { client_id_metadata_document_supported: true }),
      ...(scopes === undefined ? {} : { scopes_supported: scopes }),
    }
    return metadata?.(plain, url) ?? plain
  }

  const clientOf = async (
    id: string,
  ): Promise<{ readonly redirects: ReadonlyArray<string>; readonly secret?: string } | undefined> => {
    const registered = state.registered.get(id)
    if (registered !== undefined) {
      const clientSecret = registered["client_secret"] as string | undefined
      return {
        redirects: registered["redirect_uris"] as ReadonlyArray<string>,
        ...(clientSecret === undefined ? {} : { secret: clientSecret }),
      }
    }
    const configured = state.options.clients?.[id]
    if (configured !== undefined) return { redirects: [], secret: configured }
    if (id.startsWith("http") && state.options.clientDocuments !== undefined) {
      const read = await state.options.clientDocuments(id)
      if (read["client_id"] !== id) return undefined
      return { redirects: read["redirect_uris"] as ReadonlyArray<string> }
    }
    return undefined
  }

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse, body: string): Promise<void> => {
    const at = new URL(request.url ?? "/", url)
    state.asked.push(`${request.method} ${at.pathname}`)
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
      response.end(JSON.stringify(value))
    }
    if (state.down) return void response.destroy()
    const { pathname } = at
    if (pathname === (state.options.metadataPath ?? "/.well-known/oauth-authorization-server"))
      return json(200, document())
    if (pathname === "/register" && request.method === "POST" && state.options.registers !== false) {
      const wanted = JSON.parse(body) as Json
      const id = secret("client")
      const method = wanted["token_endpoint_auth_method"]
      const made = { ...wanted, client_id: id, ...(method === "none" ? {} : { client_secret: secret("cs") }) }
      state.registered.set(id, made)
      return json(201, made)
    }
    if (pathname === "/authorize") return authorize(request, response, at.searchParams)
    if (pathname === "/token" && request.method === "POST") {
      await state.hold
      return token(request, new URLSearchParams(body), json)
    }
    if (pathname === "/revoke" && request.method === "POST") {
      const form = new URLSearchParams(body)
      const what = form.get("token") ?? ""
      state.revoked.push(what)
      state.tokens.delete(what)
      state.refreshTokens.delete(what)
      return json(200, {})
    }
    json(404, { error: "not_found" })
  }

  const authorize = async (
    request: http.IncomingMessage,
    response: http.ServerResponse,
    query: URLSearchParams,
  ): Promise<void> => {
    state.authorizations.push(query)
    const client = await clientOf(query.get("client_id") ?? "")
    const redirect = query.get("redirect_uri") ?? ""
    const isKnown = client !== undefined && (client.redirects.length === 0 || client.redirects.includes(redirect))
    if (!isKnown) return void response.writeHead(400).end("unknown client or redirect")
    if (query.get("code_challenge_method") !== "S256") return void response.writeHead(400).end("no pkce")
    const user = /as_user=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "somebody"
    const back = new URL(redirect)
    if (state.options.denies === true) back.searchParams.set("error", "access_denied")
    else {
      const code = secret("code")
      state.codes.set(code, {
        client: query.get("client_id") ?? "",
        redirect,
        challenge: query.get("code_challenge") ?? "",
        resource: query.get("resource"),
        scope: query.get("scope") ?? "",
        user,
      })
      back.searchParams.set("code", code)
    }
    back.searchParams.set("state", query.get("state") ?? "")
    const { iss } = state.options
    if (iss !== null) back.searchParams.set("iss", iss ?? url)
    response.writeHead(302, { location: back.href }).end()
  }

  const token = async (
    request: http.IncomingMessage,
    form: URLSearchParams,
    json: (status: number, value: unknown) => void,
  ): Promise<void> => {
    const { authorization } = request.headers
    state.tokenRequests.push(Object.assign(form, authorization === undefined ? {} : { authorization }))
    const [basicId, basicSecret] = authorization?.startsWith("Basic ")
      ? Buffer.from(authorization.slice(6), "base64").toString().split(":").map(decodeURIComponent)
      : []
    const id = basicId ?? form.get("client_id") ?? ""
    const client = await clientOf(id)
    if (
      client === undefined ||
      (client.secret !== undefined && client.secret !== (basicSecret ?? form.get("client_secret")))
    ) {
      return json(401, { error: "invalid_client" })
    }
    const give = (facts: TokenFacts): void => {
      const { lifetimeSeconds = 3600, refresh = "rotating" } = state.options
      const access = secret("at")
      state.tokens.set(access, facts)
      const next = refresh === "none" ? undefined : secret("rt")
      if (next !== undefined) state.refreshTokens.set(next, { ...facts, used: false })
      json(200, {
        access_token: access,
        token_type: "Bearer",
        expires_in: lifetimeSeconds,
        ...(facts.scope === "" ? {} : { scope: facts.scope }),
        ...(next === undefined ? {} : { refresh_token: next }),
      })
    }
    switch (form.get("grant_type")) {
      case "authorization_code": {
        const code = state.codes.get(form.get("code") ?? "")
        state.codes.delete(form.get("code") ?? "")
        const verifier = createHash("sha256")
          .update(form.get("code_verifier") ?? "")
          .digest("base64url")
        const isGood =
          code !== undefined &&
          code.client === id &&
          code.redirect === form.get("redirect_uri") &&
          code.challenge === verifier &&
          code.resource === form.get("resource")
        return isGood
          ? give({ user: code.user, client: id, resource: code.resource, scope: code.scope })
          : json(400, { error: "invalid_grant" })
      }
      case "refresh_token": {
        const known = state.refreshTokens.get(form.get("refresh_token") ?? "")
        if (known === undefined || known.client !== id) return json(400, { error: "invalid_grant" })
        if (known.used) {
          // Somebody has a copy: nothing of this person's is good any more.
          for (const [one, facts] of state.refreshTokens) if (facts.user === known.user) state.refreshTokens.delete(one)
          return json(400, { error: "invalid_grant" })
        }
        if (state.options.refresh !== "kept") known.used = true
        const { client: whose, resource, scope, user } = known
        return give({ client: whose, resource, scope, user })
      }
      case "client_credentials":
        state.tokens.set("own", {
          user: id,
          client: id,
          resource: form.get("resource"),
          scope: form.get("scope") ?? "",
        })
        return give({ user: id, client: id, resource: form.get("resource"), scope: form.get("scope") ?? "" })
      default:
        return json(400, { error: "unsupported_grant_type" })
    }
  }

  return state
}
