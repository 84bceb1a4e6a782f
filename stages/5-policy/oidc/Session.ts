/**
 * What a browser keeps for the gateway: sealed, so that it can neither be read nor changed, and cut into as many cookies
 * as it needs, because one holds four thousand bytes and tokens may be longer.
 */
import type * as Redacted from "effect/Redacted"
import { cookieOf } from "../../../protocols/http/cookies.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import type { Cryptography } from "../../ports/Cryptography.ts"

/** Everything of ours begins so, and goes no further than the gateway. */
export const COOKIE_PREFIX = "agw_oidc_"
/** Of the value of one cookie. */
export const PART_CHARS_MAX = 3800
/** More would be refused by servers for the length of their header. */
export const PARTS_MAX = 5

export interface Session {
  readonly idToken: string
  readonly refreshToken?: string
  /** Until when the token serves, and until when the session can be renewed; by the wall clock. */
  readonly freshMillis: number
  readonly endsMillis: number
}

export interface Transaction {
  readonly id: string
  readonly csrf: string
  readonly nonce: string
  readonly verifier: string
  /** Path and query to go back to. */
  readonly target: string
  readonly endsMillis: number
}

export interface Attributes {
  readonly secure: boolean
  readonly maxAgeSeconds: number
}

const written = (name: string, value: string, { maxAgeSeconds, secure }: Attributes): string =>
  `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure ? "; Secure" : ""}`

export class Cookies {
  private readonly cryptography: Cryptography
  private readonly key: Redacted.Redacted
  private readonly policy: string
  private readonly secure: boolean
  readonly sessionName: string
  private readonly transactionPrefix: string

  constructor(policy: string, key: Redacted.Redacted, secure: boolean, cryptography: Cryptography) {
    const id = cryptography.sha256(policy).slice(0, 16)
    this.policy = policy
    this.key = key
    this.secure = secure
    this.cryptography = cryptography
    this.sessionName = `${COOKIE_PREFIX}s_${id}`
    this.transactionPrefix = `${COOKIE_PREFIX}t_${id}.`
  }

  private seal(kind: string, value: unknown): string {
    return this.cryptography.seal(this.key, JSON.stringify(value), `${kind} ${this.policy}`)
  }

  private open(kind: string, sealed: string): unknown {
    const text = this.cryptography.open(this.key, sealed, `${kind} ${this.policy}`)
    return text === undefined ? undefined : JSON.parse(text)
  }

  /** `Set-Cookie` values; undefined where the session is too large for any browser to keep. */
  session(session: Session, nowMillis: number, had: number): ReadonlyArray<string> | undefined {
    const sealed = this.seal("session", session)
    const count = Math.max(1, Math.ceil(sealed.length / PART_CHARS_MAX))
    if (count > PARTS_MAX) return undefined
    const attributes: Attributes = {
      secure: this.secure,
      maxAgeSeconds: Math.max(0, Math.floor((session.endsMillis - nowMillis) / 1000)),
    }
    const parts = Array.from({ length: count }, (_, i) => {
      const part = sealed.slice(i * PART_CHARS_MAX, (i + 1) * PART_CHARS_MAX)
      // The first says how many there are, so that parts of two sessions are never taken for one.
      return written(this.partName(i), i === 0 ? `${count}.${part}` : part, attributes)
    })
    return [...parts, ...this.expired(count, had)]
  }

  /** How many parts the browser has of a session. */
  had(headers: Headers): number {
    let count = 0
    while (count < PARTS_MAX && cookieOf(headers, this.partName(count)) !== undefined) count++
    return count
  }

  forgetting(headers: Headers): ReadonlyArray<string> {
    return this.expired(0, this.had(headers))
  }

  private expired(from: number, to: number): ReadonlyArray<string> {
    const names = Array.from({ length: Math.max(0, to - from) }, (_, i) => this.partName(from + i))
    return names.map((name) => written(name, "", { secure: this.secure, maxAgeSeconds: 0 }))
  }

  private partName(index: number): string {
    return index === 0 ? this.sessionName : `${this.sessionName}.${index}`
  }

  readSession(headers: Headers): Session | undefined {
    const first = cookieOf(headers, this.sessionName)
    const [, digits, begun] = /^([1-9])\.(.*)$/.exec(first ?? "") ?? []
    if (digits === undefined || begun === undefined) return undefined
    const count = Number(digits)
    if (count > PARTS_MAX) return undefined
    let sealed = begun
    for (let i = 1; i < count; i++) {
      const part = cookieOf(headers, this.partName(i))
      if (part === undefined) return undefined
      sealed += part
    }
    // Whatever can be opened was sealed here, and so has the shape that it was given.
    return this.open("session", sealed) as Session | undefined
  }

  transaction(transaction: Transaction, nowMillis: number): string {
    return written(`${this.transactionPrefix}${transaction.id}`, this.seal("transaction", transaction), {
      secure: this.secure,
      maxAgeSeconds: Math.floor((transaction.endsMillis - nowMillis) / 1000),
    })
  }

  readTransaction(headers: Headers, id: string): Transaction | undefined {
    const sealed = cookieOf(headers, `${this.transactionPrefix}${id}`)
    return sealed === undefined ? undefined : (this.open("transaction", sealed) as Transaction | undefined)
  }

  endTransaction(id: string): string {
    return written(`${this.transactionPrefix}${id}`, "", { secure: this.secure, maxAgeSeconds: 0 })
  }

  /** The ids of logins that were begun in this browser. */
  begun(headers: Headers): ReadonlyArray<string> {
    return headers
      .all("cookie")
      .flatMap((value) => value.split(";"))
      .map((pair) => pair.trim().split("=", 1)[0] ?? "")
      .filter((name) => name.startsWith(this.transactionPrefix))
      .map((name) => name.slice(this.transactionPrefix.length))
  }
}
