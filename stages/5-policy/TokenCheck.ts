/**
 * Whether a signed token is good. The issuer that it names decides whose keys it is held against, the keys decide which
 * algorithms are possible, and what was verified once is remembered until it expires or the keys change.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { JwtProvider } from "../../ir/policy/JwtAuth.ts"
import { type Key, type KeySet, parse as parseKeys } from "../../protocols/jose/jwks.ts"
import * as Jwt from "../../protocols/jose/jwt.ts"
import type { Exchange } from "../Exchange.ts"
import type { Identity } from "../Identity.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Refusal } from "../Refusal.ts"
import type { Gate } from "./Gate.ts"
import { Proofs } from "./Proofs.ts"
import type { RemoteDocument } from "./RemoteDocument.ts"

/** How many verified tokens are remembered. */
export const TOKENS_MAX = 4096
/** Of how many of these the digest is at hand as well, and how long they may be. */
export const DIGESTS_MAX = 1024
const DIGESTED_CHARS_MAX = 4096
/** They are found by so many of their last characters, which are the signature's: a hash of all would cost more. */
const TAIL_CHARS = 32
/** A token that fits more keys than that is refused after so many. */
export const KEYS_TRIED_MAX = 4

/** One issuer, with its keys as far as they are known. */
interface Issuer {
  readonly expected: Jwt.Expected
  readonly keys: () => KeySet | undefined
  readonly document: RemoteDocument<KeySet> | undefined
}

const none: KeySet = { keys: [], ignored: [] }

/** `publicOnly`: where its keys are was not said by the configuration. */
export type Trusted = JwtProvider & { readonly publicOnly?: boolean }

const compileIssuer = (provider: Trusted, gate: Gate): Issuer => {
  const { jwks } = provider
  if (jwks._tag === "Remote") {
    const document = gate.keysAt(jwks.url, provider.publicOnly)
    return { expected: provider, keys: () => document.value, document }
  }
  const parsed = parseKeys(jwks.text)
  const keys = typeof parsed === "string" ? none : parsed
  return { expected: provider, keys: () => keys, document: undefined }
}

/** What is to be done with a token as far as the keys at hand go. */
export type Decision =
  | { readonly _tag: "Verify"; readonly keys: ReadonlyArray<Key> }
  /** A newer set of keys may have the one it names. */
  | { readonly _tag: "UnknownKey"; readonly issuers: ReadonlyArray<number> }
  /** There are no keys to hold it against. */
  | { readonly _tag: "NoKeys"; readonly issuers: ReadonlyArray<number> }
  | { readonly _tag: "Refused"; readonly detail: string }

const refused = (detail: string): Decision => ({ _tag: "Refused", detail })
const invalid = (why: string): string => `the token is invalid or malformed: ${why}`

export const decide = (
  issuers: ReadonlyArray<{ readonly expected: Jwt.Expected; readonly keys: KeySet | undefined }>,
  token: Jwt.Unverified,
  nowSeconds: number,
): Decision => {
  const found: Array<Key> = []
  const unknown: Array<number> = []
  const missing: Array<number> = []
  let detail: string | undefined
  for (const [i, { expected, keys }] of issuers.entries()) {
    if (token.claims["iss"] !== expected.issuer) continue
    const objection = Jwt.objection(token.claims, expected, nowSeconds)
    if (objection !== undefined) {
      detail ??= invalid(objection)
      continue
    }
    if (keys === undefined) {
      missing.push(i)
      continue
    }
    const choice = Jwt.chooseKeys(keys, token)
    switch (choice._tag) {
      case "Candidates":
        found.push(...choice.keys)
        break
      case "UnknownKey":
        unknown.push(i)
        break
      case "WrongAlgorithm":
        detail ??= invalid("InvalidAlgorithm")
        break
      case "Ambiguous":
        detail ??= "the token header does not specify a `kid`"
    }
  }
  if (found.length > 0) return { _tag: "Verify", keys: found.slice(0, KEYS_TRIED_MAX) }
  if (missing.length > 0) return { _tag: "NoKeys", issuers: missing }
  if (unknown.length > 0) return { _tag: "UnknownKey", issuers: unknown }
  return refused(detail ?? invalid(Object.hasOwn(token.claims, "iss") ? "InvalidIssuer" : "MissingRequiredClaim(iss)"))
}

const failing = (detail: string, challenge: string): Effect.Effect<never, Refusal> =>
  Effect.fail({ _tag: "JwtAuth", detail, headers: ["www-authenticate", challenge] })

const invalidToken = 'Bearer error="invalid_token"'
export const absent = failing("no bearer token found", "Bearer")
const malformed = failing("the token header is malformed", invalidToken)
const badSignature = failing(invalid("InvalidSignature"), invalidToken)
const noKeys: Effect.Effect<never, Refusal> = Effect.fail({ _tag: "KeysUnavailable", headers: ["retry-after", "15"] })

export class TokenCheck {
  private readonly issuers: ReadonlyArray<Issuer>
  private readonly documents: ReadonlyArray<RemoteDocument<KeySet>>
  private readonly gate: Gate
  private readonly clock: Clock
  private readonly proofs = new Proofs<Identity>(TOKENS_MAX)
  private readonly checks = new Proofs<boolean>(0)
  /** By the end of the token, only of those that were good: digesting one costs more than all else that is done for it. */
  private readonly digests = new Map<string, { readonly token: string; readonly digest: string }>()
  /** Of all documents together; what was verified with other keys counts no longer. */
  private version = 0

  constructor(providers: ReadonlyArray<Trusted>, gate: Gate, clock: Clock) {
    this.gate = gate
    this.clock = clock
    this.issuers = providers.map((provider) => compileIssuer(provider, gate))
    this.documents = [...new Set(this.issuers.flatMap(({ document }) => document ?? []))]
    // The first request need not be the one that waits.
    for (const document of this.documents) document.touch(0)
  }

  /** Who the token is for: at once where it was verified before. */
  readonly check = (
    token: string,
    deadlineMillis: number,
    exchange?: Exchange,
  ): Identity | Effect.Effect<Identity, Refusal> => {
    if (token.length > Jwt.TOKEN_CHARS_MAX) return malformed
    if (this.documents.length > 0) this.refresh()
    const tail = token.slice(-TAIL_CHARS)
    const kept = this.digests.get(tail)
    const atHand = kept !== undefined && kept.token === token ? kept.digest : undefined
    const digest = atHand ?? this.gate.cryptography.sha256(token)
    const known = this.proofs.get(digest, this.clock.wallMillis())
    if (known !== undefined) {
      if (atHand === undefined) this.keepDigest(tail, token, digest)
      return known
    }
    if (atHand !== undefined) this.digests.delete(tail)
    const unverified = Jwt.parse(token)
    return unverified === undefined
      ? malformed
      : this.judge({ deadlineMillis, exchange }, token, digest, unverified, true)
  }

  private keepDigest(tail: string, token: string, digest: string): void {
    if (token.length > DIGESTED_CHARS_MAX) return
    if (this.digests.size >= DIGESTS_MAX) this.digests.clear()
    this.digests.set(tail, { token, digest })
  }

  private refresh(): void {
    let version = 0
    for (const document of this.documents) {
      if (document.touch(0) !== undefined) this.proofs.clear()
      version += document.version
    }
    if (version === this.version) return
    this.version = version
    this.proofs.clear()
    this.checks.clear()
  }

  private judge(
    whose: { readonly deadlineMillis: number; readonly exchange: Exchange | undefined },
    token: string,
    digest: string,
    unverified: Jwt.Unverified,
    mayWait: boolean,
  ): Effect.Effect<Identity, Refusal> {
    if (mayWait) {
      const waits = this.wait(
        this.documents.filter(({ url }) => this.concerns(url, unverified)),
        (document) => document.touch(whose.deadlineMillis, whose.exchange),
      )
      if (waits !== undefined) {
        return Effect.flatMap(waits, () => this.judge(whose, token, digest, unverified, false))
      }
    }
    const decision = decide(
      this.issuers.map(({ expected, keys }) => ({ expected, keys: keys() })),
      unverified,
      this.clock.wallMillis() / 1000,
    )
    switch (decision._tag) {
      case "Refused":
        return failing(decision.detail, invalidToken)
      case "NoKeys":
        return noKeys
      case "UnknownKey": {
        const again = this.wait(
          decision.issuers.flatMap((i) => this.issuers[i]?.document ?? []),
          (document) => document.again(whose.deadlineMillis, whose.exchange),
        )
        return mayWait && again !== undefined
          ? Effect.flatMap(again, () => this.judge(whose, token, digest, unverified, false))
          : failing(`the token uses the unknown key ${JSON.stringify(unverified.kid?.slice(0, 64))}`, invalidToken)
      }
      case "Verify":
        return this.verify(token, digest, unverified, decision.keys)
    }
  }

  private concerns(url: string, { claims }: Jwt.Unverified): boolean {
    return this.issuers.some(({ document, expected }) => document?.url === url && expected.issuer === claims["iss"])
  }

  private wait(
    documents: ReadonlyArray<RemoteDocument<KeySet>>,
    ask: (document: RemoteDocument<KeySet>) => Effect.Effect<void> | undefined,
  ): Effect.Effect<unknown> | undefined {
    const waits = documents.flatMap((document) => ask(document) ?? [])
    return waits.length === 0 ? undefined : Effect.all(waits, { concurrency: "unbounded", discard: true })
  }

  private verify(
    token: string,
    digest: string,
    { algorithm, claims }: Jwt.Unverified,
    keys: ReadonlyArray<Key>,
  ): Effect.Effect<Identity, Refusal> {
    const { verifySignature } = this.gate.cryptography
    const { version } = this
    const check = async (): Promise<boolean> => {
      for (const { jwk } of keys) if (await verifySignature(token, jwk, algorithm)) return true
      return false
    }
    return Effect.flatMap(
      Effect.promise(() => this.checks.once(digest, check)),
      (isGood): Effect.Effect<Identity, Refusal> => {
        if (!isGood) return badSignature
        const identity: Identity = { jwt: claims, token: Redacted.make(token) }
        if (version === this.version) this.proofs.put(digest, identity, Jwt.holdsUntil(claims) * 1000)
        return Effect.succeed(identity)
      },
    )
  }
}
