/** Leading people to the page where they connect their account, and what is said where they cannot be led. */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { Fields } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Caller, Outcome } from "../target/McpTarget.ts"
import { type Connections, placeOf } from "./Connections.ts"
import type { Need } from "./Granted.ts"
import { LINK_MILLIS, Links } from "./links.ts"
import { baseFor } from "./places.ts"
import type { User } from "./users.ts"

const WATCHED_MAX = 1_000

const whats = ["tools", "prompts", "resources"] as const
export type What = (typeof whats)[number]

export class Leading {
  private readonly target: string
  private readonly oauth: McpOauth
  private readonly connections: Connections
  private readonly runtime: McpRuntime
  private readonly links: Links
  private readonly changed: (what: What) => void
  private readonly place: string
  private readonly offered = new Map<string, { readonly url: string; readonly until: number }>()
  private readonly watched = new Set<string>()

  constructor(
    target: string,
    oauth: McpOauth,
    connections: Connections,
    runtime: McpRuntime,
    changed: (what: What) => void,
  ) {
    this.target = target
    this.oauth = oauth
    this.connections = connections
    this.runtime = runtime
    this.changed = changed
    this.place = placeOf(oauth)
    this.links = new Links(runtime.sealer, runtime.clock)
  }

  /** The same for as long as it is good, so that nobody is asked to open one page twice. */
  pageFor(user: User, caller: Caller, need: Need): string | undefined {
    const base = baseFor(this.oauth.connections, caller.exchange)
    if (base === undefined) return undefined
    const { clock } = this.runtime
    const name = JSON.stringify([user.key, base, need.scopes ?? null, need.challenge?.resourceMetadata ?? null])
    const known = this.offered.get(name)
    // One that is about to end is not handed out again.
    if (known !== undefined && known.until - clock.nowMillis() > LINK_MILLIS / 2) return known.url
    const link = this.links.link({
      user: user.key,
      label: user.label,
      place: this.place,
      scopes: need.scopes,
      metadata: need.challenge?.resourceMetadata,
      asker: askerOf(caller),
    })
    const url = `${base}/start?link=${link}`
    if (this.offered.size >= WATCHED_MAX) this.offered.clear()
    this.offered.set(name, { url, until: clock.nowMillis() + LINK_MILLIS })
    this.watch(user, need.consents)
    return url
  }

  /** Tells everybody who listens once the person has agreed, wherever that was. */
  private watch(user: User, consents: number): void {
    if (this.watched.has(user.key) || this.watched.size >= WATCHED_MAX) return
    this.watched.add(user.key)
    this.runtime.run(
      Effect.ensuring(
        Effect.map(this.connections.agreed({ user: user.key, place: this.place }, consents, LINK_MILLIS), (isDone) => {
          if (isDone) for (const what of whats) this.changed(what)
        }),
        Effect.sync(() => this.watched.delete(user.key)),
      ),
    )
  }

  private told(user: User | undefined, url: string | undefined): string {
    if (user === undefined) return `${this.target} needs to know who you are: this gateway has not been told`
    return url === undefined
      ? `${this.target} needs you to connect your account, but this gateway does not know the address of its own pages`
      : `${this.target} needs you to connect your account: ${url}`
  }

  error(user: User | undefined, url: string | undefined): Outcome {
    const data = { reason: "consent_required", target: this.target, ...(url === undefined ? {} : { url }) }
    return { _tag: "Error", error: errorOf(codes.internal, this.told(user, url), data), era: "modern" }
  }

  text(method: string, user: User | undefined, url: string | undefined): Outcome {
    return method === "tools/call" ? toolText(this.told(user, url), true) : this.error(user, url)
  }
}

export const toolText = (text: string, isError: boolean): Outcome => ({
  _tag: "Result",
  era: "modern",
  result: JSON.stringify({ resultType: "complete", content: [{ type: "text", text }], isError }),
})

const nameMax = 64

/** What a program calls itself; anybody could say so. */
const askerOf = ({ clientInfo }: Caller): string | undefined => {
  const info = clientInfo === undefined ? undefined : Fields.parse(clientInfo)
  return (info?.string("title") ?? info?.string("name"))?.slice(0, nameMax)
}
