/**
 * The pages where people connect their accounts. A page acts for the person that the browser proves to be, and for no
 * other: a link that was passed on, a form of another site, or the end of a login that began elsewhere leads nowhere.
 */
import * as Effect from "effect/Effect"
import type { McpConnections } from "../../../../ir/backend/McpOauth.ts"
import { cookieOf, formatSetCookie } from "../../../../protocols/http/cookies.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { authorizationUrl, wantedScopes } from "../../../../protocols/oauth/authorization.ts"
import { clientDocument } from "../../../../protocols/oauth/registration.ts"
import * as Body from "../../../Body.ts"
import type { Exchange, Reply, Request } from "../../../Exchange.ts"
import type { Shown } from "../../../ports/Grants.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { clientFor } from "./clients.ts"
import { type Connections, placeOf } from "./Connections.ts"
import { challengeOf, type Connectable, finish } from "./finish.ts"
import { escaped, form, page as html, redirect, says } from "./html.ts"
import { Links, type Login } from "./links.ts"
import { type Page, pageOf } from "./places.ts"
import { isOpenable } from "./reachable.ts"
import { type User, userOf } from "./users.ts"

const FORM_BYTES_MAX = 16_384
const COOKIE_SECONDS = 600
/** Logins that are over, so that none ends twice here. */
const OVER_MAX = 10_000

interface Visit {
  readonly exchange: Exchange
  readonly request: Request
  readonly page: Page
  readonly connections: McpConnections
}

const noStore = ["cache-control", "no-store"]

const notAllowed = (allow: string): Reply => ({
  status: 405,
  headers: new Headers(["allow", allow, ...noStore]),
  body: Body.empty,
  origin: "gateway",
})

const over = "The link has expired, or belongs to somebody else. Call the tool again for another one."

const decoder = new TextDecoder()

export class Pages {
  private readonly targets: ReadonlyArray<Connectable>
  private readonly connections: Connections
  private readonly runtime: McpRuntime
  private readonly links: Links
  private readonly settings: McpConnections
  private readonly over = new Set<string>()

  constructor(
    targets: ReadonlyArray<Connectable>,
    settings: McpConnections,
    connections: Connections,
    runtime: McpRuntime,
  ) {
    this.targets = targets
    this.settings = settings
    this.connections = connections
    this.runtime = runtime
    this.links = new Links(runtime.sealer, runtime.clock)
  }

  /** Undefined: it is a request of MCP. */
  serve(exchange: Exchange, request: Request): Effect.Effect<Reply> | undefined {
    const page = pageOf(this.settings, exchange)
    if (page === undefined) return undefined
    const visit: Visit = { exchange, request, page, connections: this.settings }
    if (exchange.notes?.mcp !== undefined) exchange.notes.mcp["page"] = page.name === "" ? "connections" : page.name
    const { method } = request
    const reads = method === "GET" || method === "HEAD"
    switch (page.name) {
      case "client.json":
        return Effect.succeed(reads ? this.document(page) : notAllowed("GET"))
      case "":
        return reads ? this.overview(visit) : Effect.succeed(notAllowed("GET"))
      case "start":
        if (reads) return Effect.succeed(this.question(visit))
        return method === "POST"
          ? this.posted(visit, (fields) => this.begin(visit, fields))
          : Effect.succeed(notAllowed("GET, POST"))
      case "callback":
        return method === "GET" ? this.end(visit) : Effect.succeed(notAllowed("GET"))
      case "forget":
        return method === "POST"
          ? this.posted(visit, (fields) => this.forget(visit, fields))
          : Effect.succeed(notAllowed("POST"))
    }
  }

  // Who is there ------------------------------------------------------------------------------------------------------

  private userAt({ exchange }: Visit): User | undefined {
    return userOf(exchange, this.runtime.sealer, this.settings.anonymous)
  }

  /** Whether whoever looks at the page may act for that person. */
  private isFor(visit: Visit, user: string): boolean {
    if (this.settings.proof === "link") return true
    return this.userAt(visit)?.key === user
  }

  private strangerReply(visit: Visit): Reply {
    return this.userAt(visit) === undefined
      ? says(
          403,
          "Who are you?",
          "This page does not know who you are. Whoever runs this gateway has to let people log in on the route of its pages.",
        )
      : says(403, "Not for you", over)
  }

  private cookieName({ page }: Visit, flow: string): string {
    return `${page.base.startsWith("https:") ? "__Host-" : ""}sluice-connect.${flow}`
  }

  private cookie(visit: Visit, flow: string, value: string): string {
    const secure = visit.page.base.startsWith("https:")
    const cookie = {
      name: this.cookieName(visit, flow),
      value,
      path: "/",
      maxAgeSeconds: value === "" ? 0 : COOKIE_SECONDS,
    }
    return formatSetCookie({ ...cookie, httpOnly: true, sameSite: "Lax", secure }) ?? ""
  }

  private secretOf(visit: Visit, flow: string): string | undefined {
    return cookieOf(visit.request.headers, this.cookieName(visit, flow))
  }

  private find(place: string): Connectable | undefined {
    return this.targets.find(({ oauth }) => placeOf(oauth) === place)
  }

  // Pages -------------------------------------------------------------------------------------------------------------

  private document({ base }: Page): Reply {
    const { clientDocument: named, clientName } = this.settings
    const id = named ?? `${base}/client.json`
    return {
      status: 200,
      headers: new Headers(["content-type", "application/json", "cache-control", "max-age=300"]),
      body: Body.text(clientDocument(id, clientName, `${base}/callback`)),
      origin: "gateway",
    }
  }

  private overview(visit: Visit): Effect.Effect<Reply> {
    const user = this.userAt(visit)
    if (user === undefined) return Effect.succeed(this.strangerReply(visit))
    const flow = this.runtime.sealer.secret().slice(0, 12)
    const secret = this.runtime.sealer.secret()
    const proof = this.links.form(secret)
    const row = ({ name, oauth }: Connectable, known: Shown | undefined): string => {
      const place = placeOf(oauth)
      const link = this.links.link({
        user: user.key,
        label: user.label,
        place,
        scopes: undefined,
        metadata: undefined,
        asker: undefined,
      })
      const start = form(`${visit.page.base}/start`, known === undefined ? "Connect" : "Connect again", {
        link,
        flow,
        proof,
      })
      const forget = known === undefined ? "" : form(`${visit.page.base}/forget`, "Disconnect", { place, flow, proof })
      const state =
        known === undefined
          ? "not connected"
          : `connected${known.scopes.length === 0 ? "" : `: ${known.scopes.join(" ")}`}`
      return `<tr><td>${escaped(name)}<br><code>${escaped(oauth.server)}</code></td><td>${escaped(state)}</td><td>${start}${forget}</td></tr>`
    }
    return Effect.match(this.connections.parts.grants.list(user.key), {
      onFailure: () => says(503, "Not now", "What is kept of connections cannot be read at the moment."),
      onSuccess: (all) =>
        html(
          200,
          "Your connections",
          `<p>You are ${escaped(user.label)}.</p><table><tr><th>Server</th><th></th><th></th></tr>${this.targets
            .map((one) =>
              row(
                one,
                all.find(({ place }) => place === placeOf(one.oauth)),
              ),
            )
            .join("")}</table>`,
          [this.cookie(visit, flow, secret)],
        ),
    })
  }

  /** The person is told who asks for what before anything else happens. */
  private question(visit: Visit): Reply {
    const { page, request } = visit
    const text = new URLSearchParams(request.query ?? "").get("link") ?? ""
    const link = this.links.openLink(text)
    const target = link === undefined ? undefined : this.find(link.place)
    if (link === undefined || target === undefined) return says(400, "Expired", over)
    if (!this.isFor(visit, link.user)) return this.strangerReply(visit)
    const flow = this.runtime.sealer.secret().slice(0, 12)
    const secret = this.runtime.sealer.secret()
    const asker = link.asker === undefined ? "" : `<p>The program that asks calls itself ${escaped(link.asker)}.</p>`
    const scopes =
      link.scopes === undefined || link.scopes.length === 0
        ? ""
        : `<p>It asks for: <code>${escaped(link.scopes.join(" "))}</code></p>`
    return html(
      200,
      `Connect ${target.name}`,
      `<p>You are ${escaped(link.label)}. You are about to let this gateway use your account at <code>${escaped(target.oauth.server)}</code> for you.</p>${asker}${scopes}<p>Go on only if you have just asked for this yourself.</p>${form(`${page.base}/start`, "Continue", { link: text, flow, proof: this.links.form(secret) })}`,
      [this.cookie(visit, flow, secret)],
    )
  }

  private posted(visit: Visit, run: (fields: URLSearchParams) => Effect.Effect<Reply>): Effect.Effect<Reply> {
    const { headers } = visit.request
    const origin = headers.get("origin")
    const site = headers.get("sec-fetch-site")
    const isOwn = origin === undefined || origin === "null" || origin === new URL(visit.page.base).origin
    if (!isOwn || (site !== undefined && site !== "same-origin" && site !== "none")) {
      Body.discard(visit.request.body)
      return Effect.succeed(says(403, "Not from here", "A page of another site may not do that."))
    }
    return Effect.matchEffect(Body.collect(visit.request.body, FORM_BYTES_MAX), {
      onFailure: () => Effect.succeed(says(400, "Not readable", "The form was not received.")),
      onSuccess: (collected) => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return Effect.succeed(says(413, "Too long", "The form is too long."))
        }
        const fields = new URLSearchParams(decoder.decode(collected.bytes))
        const flow = fields.get("flow") ?? ""
        const secret = /^[\w-]{12}$/.test(flow) ? this.secretOf(visit, flow) : undefined
        return secret === undefined || !this.links.isForm(fields.get("proof") ?? "", secret)
          ? Effect.succeed(
              says(400, "Expired", "The form has expired, or this browser keeps no cookies. Go back and try again."),
            )
          : run(fields)
      },
    })
  }

  private forget(visit: Visit, fields: URLSearchParams): Effect.Effect<Reply> {
    const user = this.userAt(visit)
    const target = this.find(fields.get("place") ?? "")
    if (user === undefined || target === undefined) return Effect.succeed(this.strangerReply(visit))
    return Effect.match(this.connections.forget({ user: user.key, place: placeOf(target.oauth) }, target.oauth), {
      onFailure: () => says(503, "Not now", "It could not be forgotten at the moment. Try again."),
      onSuccess: () => redirect(visit.page.base, []),
    })
  }

  // A login -----------------------------------------------------------------------------------------------------------

  private begin(visit: Visit, fields: URLSearchParams): Effect.Effect<Reply> {
    const flow = fields.get("flow") ?? ""
    const secret = this.secretOf(visit, flow) ?? ""
    const link = this.links.openLink(fields.get("link") ?? "")
    const target = link === undefined ? undefined : this.find(link.place)
    if (link === undefined || target === undefined) return Effect.succeed(says(400, "Expired", over))
    if (!this.isFor(visit, link.user)) return Effect.succeed(this.strangerReply(visit))
    const { base } = visit.page
    const redirectUri = `${base}/callback`
    const { cryptography } = this.connections.parts.tokens
    const challenge = challengeOf(link.metadata)
    const begun = Effect.flatMap(this.connections.discovered(target.oauth, challenge, false), (found) =>
      Effect.flatMap(this.connections.read({ user: link.user, place: link.place }), (kept) => {
        const granted = kept === undefined || kept.grant.issuer !== found.server.issuer ? [] : kept.grant.scopes
        const scopes = wantedScopes(found.server, link.scopes, found.scopes, target.oauth.scopes, granted)
        return Effect.map(
          clientFor(this.connections.parts, this.settings, target.oauth, found, base, redirectUri, scopes),
          (client): Reply => {
            const endpoint = found.server.authorizationEndpoint ?? ""
            if (!isOpenable(endpoint, target.oauth))
              return says(502, "Not possible", "The server sends people to no address that can be opened.")
            const verifier = cryptography.random(32)
            const login: Omit<Login, "expires"> = {
              user: link.user,
              label: link.label,
              place: link.place,
              flow,
              secret: this.runtime.sealer.digest(secret),
              verifier,
              redirectUri,
              issuer: found.server.issuer,
              clientId: client.clientId,
              scopes,
              resource: found.resource,
              metadata: link.metadata,
            }
            const location = authorizationUrl(endpoint, {
              clientId: client.clientId,
              redirectUri,
              state: this.links.login(login),
              challenge: cryptography.digest(verifier),
              scopes,
              resource: found.resource,
            })
            return redirect(location, [this.cookie(visit, flow, secret)])
          },
        )
      }),
    )
    return Effect.catch(begun, (why) =>
      Effect.as(
        Effect.logWarning(`nobody can connect to ${target.name}: ${why}`),
        says(502, "Not possible", `${target.name} cannot be connected: ${why}`),
      ),
    )
  }

  private end(visit: Visit): Effect.Effect<Reply> {
    const query = new URLSearchParams(visit.request.query ?? "")
    const login = this.links.openLogin(query.get("state") ?? "")
    if (login === undefined)
      return Effect.succeed(says(400, "Expired", "This login has expired, or did not begin here."))
    const forgetting = [this.cookie(visit, login.flow, "")]
    const secret = this.secretOf(visit, login.flow)
    if (secret === undefined || this.runtime.sealer.digest(secret) !== login.secret) {
      return Effect.succeed(says(400, "Not here", "This login did not begin in this browser, or has ended already."))
    }
    if (!this.isFor(visit, login.user)) return Effect.succeed(this.strangerReply(visit))
    if (this.over.has(login.flow)) return Effect.succeed(says(400, "Over", "This login has ended already.", forgetting))
    if (this.over.size >= OVER_MAX) this.over.clear()
    this.over.add(login.flow)
    const target = this.find(login.place)
    if (target === undefined)
      return Effect.succeed(says(400, "Gone", "This server is no longer configured.", forgetting))
    const told = (event: string): void => {
      const { inquiry, notes } = visit.exchange
      if (notes?.mcp !== undefined) Object.assign(notes.mcp, { connection: event, target: target.name })
      inquiry?.note({ stage: "oauth", decision: event, detail: target.name })
    }
    return Effect.catch(
      Effect.map(finish(this.connections, login, target, query), (failed): Reply => {
        told(failed === undefined ? "connected" : "refused")
        return failed === undefined
          ? says(
              200,
              `${target.name} is connected`,
              "You can close this page and go back to where you came from.",
              forgetting,
            )
          : says(400, `${target.name} is not connected`, failed, forgetting)
      }),
      (why) =>
        Effect.as(
          Effect.andThen(
            Effect.sync(() => told("failed")),
            Effect.logWarning(`a login at ${target.name} failed: ${why}`),
          ),
          says(
            502,
            `${target.name} is not connected`,
            "The authorization server gave no token. Try again.",
            forgetting,
          ),
        ),
    )
  }
}
