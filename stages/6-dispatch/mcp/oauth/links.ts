/** What people carry to the pages and back: sealed, so that it is ours and says to whom it belongs. */
import type { Sealer } from "../../../ports/Sealer.ts"
import type { Clock } from "../../../ports/Timer.ts"

/** How long somebody may take from the question to the login, and from there back. */
export const LINK_MILLIS = 10 * 60_000
const LOGIN_MILLIS = 10 * 60_000

/** Leads one person to the page about one server. */
export interface Link {
  readonly user: string
  readonly label: string
  readonly place: string
  /** What was asked for beside what is usual. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** Where the server says what it wants. */
  readonly metadata: string | undefined
  /** Which of their programs asked, as it calls itself. */
  readonly asker: string | undefined
  readonly expires: number
}

/** A login under way; goes to the authorization server and comes back from there. */
export interface Login {
  readonly user: string
  readonly label: string
  readonly place: string
  /** Names the cookie of the browser that began it, and what is in it. */
  readonly flow: string
  readonly secret: string
  readonly verifier: string
  readonly redirectUri: string
  readonly issuer: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string>
  readonly resource: string | undefined
  readonly metadata: string | undefined
  readonly expires: number
}

const purposes = { link: "mcp-connect-link", login: "mcp-connect-login", form: "mcp-connect-form" } as const

export class Links {
  private readonly sealer: Sealer
  private readonly clock: Clock

  constructor(sealer: Sealer, clock: Clock) {
    this.sealer = sealer
    this.clock = clock
  }

  private open<A extends { readonly expires: number }>(text: string, purpose: string): A | undefined {
    const opened = this.sealer.open(text, purpose)
    if (opened === undefined) return undefined
    // Whatever can be opened was sealed here, and so has the shape that it was given.
    const found = JSON.parse(opened) as A
    return found.expires > this.clock.wallMillis() ? found : undefined
  }

  link(link: Omit<Link, "expires">): string {
    return this.sealer.seal(JSON.stringify({ ...link, expires: this.clock.wallMillis() + LINK_MILLIS }), purposes.link)
  }

  openLink(text: string): Link | undefined {
    return this.open(text, purposes.link)
  }

  login(login: Omit<Login, "expires">): string {
    return this.sealer.seal(
      JSON.stringify({ ...login, expires: this.clock.wallMillis() + LOGIN_MILLIS }),
      purposes.login,
    )
  }

  openLogin(text: string): Login | undefined {
    return this.open(text, purposes.login)
  }

  /** Shows that a form came from a page that was given to this very browser. */
  form(secret: string): string {
    return this.sealer.seal(JSON.stringify({ secret, expires: this.clock.wallMillis() + LINK_MILLIS }), purposes.form)
  }

  isForm(text: string, secret: string): boolean {
    return this.open<{ readonly secret: string; readonly expires: number }>(text, purposes.form)?.secret === secret
  }
}
