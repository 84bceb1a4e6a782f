import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { defaults } from "../../../ir/defaults.ts"
import type { McpAuthentication } from "../../../ir/policy/McpAuthentication.ts"
import { isLoopback } from "../../../protocols/http/authority.ts"
import { objectIn } from "../../../protocols/json/object.ts"
import * as Vendors from "../../../protocols/oauth/vendors.ts"
import * as Body from "../../Body.ts"
import type { Request, Subject } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Ask, Question } from "../ask.ts"
import type { Gate } from "../Gate.ts"
import type { RemoteDocument } from "../RemoteDocument.ts"
import { answer, type Verdict } from "../Step.ts"
import { error, json, notAllowed, reply } from "./answers.ts"

export const SERVER_PREFIX = "/.well-known/oauth-authorization-server"

/** Of what a client sends to register itself, or to get a token. */
const FORM_BYTES_MAX = 65_536

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Undefined: it is longer than such bodies are, or no text. */
const bodyOf = ({ body }: Request): Effect.Effect<string | undefined> =>
  Effect.match(Body.collect(body, FORM_BYTES_MAX), {
    onFailure: () => undefined,
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return undefined
      }
      try {
        return decoder.decode(collected.bytes)
      } catch {
        return undefined
      }
    },
  })

/** How long a person may take from the client to the login and back. */
const RELAY_MILLIS = 10 * 60_000

/** Where a code that comes back has to go. */
interface Relayed {
  readonly redirect: string
  readonly state: string | null
  readonly expires: number
}

/** Only whoever sits at that machine can listen there. */
const isOwnMachine = (redirect: string): boolean => {
  const url = URL.parse(redirect)
  return (
    url !== null && url.protocol === "http:" && url.username === "" && url.password === "" && isLoopback(url.hostname)
  )
}

/** The gateway in place of an authorization server that does not speak as the protocol wants. */
export class StandIn {
  private readonly policy: McpAuthentication
  private readonly gate: Gate
  private readonly ask: Ask
  private readonly clock: Clock
  /** Where clients see the gateway, without a path. */
  private readonly base: (request: Request) => string
  private readonly metadata: RemoteDocument<Vendors.Metadata>

  constructor(policy: McpAuthentication, gate: Gate, ask: Ask, clock: Clock, base: (request: Request) => string) {
    this.policy = policy
    this.gate = gate
    this.ask = ask
    this.clock = clock
    this.base = base
    this.metadata = gate.documentAt(Vendors.metadataUrl(policy.issuer, policy.provider), "object", objectIn)
  }

  /** `path` is what stands behind the prefix. */
  run(subject: Subject, path: string): Effect.Effect<Verdict, Refusal> {
    const { request } = subject
    if (request.method === "OPTIONS") return answer(reply(204, []))
    const { issuer, provider } = this.policy
    if (path.endsWith("/client-registration") && provider !== undefined) return this.register(subject)
    const { clientSecret, relay } = this.policy
    if (relay !== undefined && path.endsWith("/callback")) return this.relayBack(request, path)
    // Entra takes no resource indicators, so whatever goes there passes through here.
    const through =
      provider === "entra" || (provider === "keycloak" && (relay !== undefined || clientSecret !== undefined))
        ? provider
        : undefined
    if (through !== undefined && path.endsWith("/authorize")) {
      const query = new URLSearchParams(request.query ?? "")
      if (through === "entra") query.delete("resource")
      if (relay !== undefined && !this.relayOut(query, this.callbackOf(request, path))) {
        return error(400, "invalid_request", "the redirect URI is not one that codes are passed on to")
      }
      const location = `${Vendors.endpointOf(issuer, through, "authorize")}?${query.toString()}`
      return answer(reply(302, ["location", location, "cache-control", "no-store"]))
    }
    if (through !== undefined && path.endsWith("/token")) {
      return request.method === "POST"
        ? this.token(subject, through, this.callbackOf(request, path))
        : notAllowed("POST")
    }
    if (request.method !== "GET" && request.method !== "HEAD") return notAllowed("GET, OPTIONS")
    const base = this.base(request)
    const facade = {
      here: `${base}${SERVER_PREFIX}${path}`,
      issuer: `${base}${path}`,
      audience: this.policy.audiences[0],
      relays: through !== undefined,
    }
    const waits = this.metadata.touch(subject.exchange.deadlineMillis, subject.exchange)
    const answered = Effect.suspend(() => {
      const found = this.metadata.value
      if (found === undefined)
        return error(503, "temporarily_unavailable", "the authorization server cannot be reached")
      const adapted = Vendors.adapt(found, provider, facade)
      return typeof adapted === "string" ? error(500, "server_error", adapted) : answer(json(200, adapted))
    })
    return waits === undefined ? answered : Effect.andThen(waits, answered)
  }

  private register({ exchange, request }: Subject): Effect.Effect<Verdict> {
    if (request.method !== "POST") return notAllowed("POST")
    const { clientId, issuer, provider } = this.policy
    return Effect.flatMap(bodyOf(request), (body) => {
      const document = body === undefined ? "it is too long" : objectIn(body)
      if (typeof document === "string" || body === undefined) {
        return error(400, "invalid_client_metadata", `the registration cannot be read: ${String(document)}`)
      }
      if (clientId !== undefined) {
        const asked = document["redirect_uris"]
        return answer(
          json(201, {
            client_id: clientId,
            client_id_issued_at: 0,
            token_endpoint_auth_method: "none",
            grant_types: ["authorization_code"],
            response_types: ["code"],
            redirect_uris: Array.isArray(asked) ? asked.filter((one) => typeof one === "string") : [],
          }),
        )
      }
      const url = Vendors.registrationUrl(issuer, provider)
      if (url === undefined) return error(500, "server_error", "the server does not register clients")
      return this.relayed({ url, headers: ["content-type", "application/json"], body, exchange })
    })
  }

  /** The one address that the server knows. */
  private callbackOf(request: Request, path: string): string {
    return `${this.base(request)}${SERVER_PREFIX}${path.slice(0, path.lastIndexOf("/"))}/callback`
  }

  /** Sealed for one issuer, client and address, so that nothing else opens it. */
  private relayContext(callback: string): string {
    return JSON.stringify(["mcp-relay", this.policy.issuer, this.policy.clientId ?? "", callback])
  }

  /** False: codes must not go there. Whoever gets one can use it, so it is this person's machine or named by us. */
  private relayOut(query: URLSearchParams, callback: string): boolean {
    const { gate, policy } = this
    const redirect = query.get("redirect_uri") ?? ""
    if (policy.relay === undefined || query.get("client_id") !== policy.clientId) return false
    if (!isOwnMachine(redirect) && !policy.relay.redirectUris.includes(redirect)) return false
    const sealed: Relayed = {
      redirect,
      state: query.get("state"),
      expires: this.clock.wallMillis() + RELAY_MILLIS,
    }
    query.set("redirect_uri", callback)
    query.set("state", gate.cryptography.seal(policy.relay.key, JSON.stringify(sealed), this.relayContext(callback)))
    return true
  }

  private relayBack(request: Request, path: string): Effect.Effect<Verdict> {
    const { gate, policy } = this
    if (request.method !== "GET") return notAllowed("GET")
    const query = new URLSearchParams(request.query ?? "")
    const state = query.get("state") ?? ""
    const text =
      policy.relay === undefined
        ? undefined
        : gate.cryptography.open(policy.relay.key, state, this.relayContext(this.callbackOf(request, path)))
    // Whatever can be opened was sealed here, and so has the shape that it was given.
    const relayed = text === undefined ? undefined : (JSON.parse(text) as Relayed)
    if (relayed === undefined || relayed.expires <= this.clock.wallMillis()) {
      return error(400, "invalid_request", "this login has expired, or did not begin here")
    }
    const back = new URL(relayed.redirect)
    for (const name of ["code", "error", "error_description"]) {
      const value = query.get(name)
      if (value !== null) back.searchParams.set(name, value)
    }
    if (relayed.state !== null) back.searchParams.set("state", relayed.state)
    return answer(reply(302, ["location", back.href, "cache-control", "no-store", "referrer-policy", "no-referrer"]))
  }

  private token({ exchange, request }: Subject, vendor: Vendors.Relayable, callback: string): Effect.Effect<Verdict> {
    const { clientId, clientSecret, issuer } = this.policy
    const authorization = request.headers.get("authorization")
    return Effect.flatMap(bodyOf(request), (body) => {
      if (body === undefined) return error(400, "invalid_request", "the form cannot be read")
      const form = new URLSearchParams(body)
      if (vendor === "entra") form.delete("resource")
      // The code was sent there, whatever the client was told.
      if (this.policy.relay !== undefined && form.has("redirect_uri")) form.set("redirect_uri", callback)
      const isOurs =
        clientSecret !== undefined &&
        authorization === undefined &&
        !form.has("client_secret") &&
        form.get("client_id") === clientId &&
        ["authorization_code", "refresh_token"].includes(form.get("grant_type") ?? "")
      if (isOurs) form.set("client_secret", Redacted.value(clientSecret))
      return this.relayed({
        url: Vendors.endpointOf(issuer, vendor, "token"),
        headers: [
          "content-type",
          "application/x-www-form-urlencoded",
          ...(authorization === undefined ? [] : ["authorization", authorization]),
        ],
        body: form.toString(),
        exchange,
      })
    })
  }

  private relayed(question: Pick<Question, "url" | "headers" | "body" | "exchange">): Effect.Effect<Verdict> {
    const asked = this.ask({
      ...question,
      method: "POST",
      headers: ["accept", "application/json", ...question.headers],
      bytesMax: FORM_BYTES_MAX,
      timeoutMillis: defaults.tokenEndpointTimeoutMillis,
    })
    return Effect.matchEffect(asked, {
      onFailure: (why) =>
        Effect.andThen(
          Effect.logWarning(`${question.url} does not answer: ${why}`),
          error(502, "temporarily_unavailable", "the authorization server does not answer"),
        ),
      onSuccess: ({ headers, status, text }) =>
        answer(
          reply(
            status,
            ["content-type", headers.get("content-type") ?? "application/json", "cache-control", "no-store"],
            Body.text(text),
          ),
        ),
    })
  }
}
