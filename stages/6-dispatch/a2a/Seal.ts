/**
 * Whom cards are believed, and how the gateway vouches for those it hands out. A card that was signed is believed only
 * as far as it was signed: fields that no signature covers are dropped.
 */
import * as Effect from "effect/Effect"
import type { A2a } from "../../../ir/policy/A2a.ts"
import type * as Canonical from "../../../protocols/a2a/card/canonical.ts"
import { type Fields, fieldsOf, listOf, parse, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Key, type KeySet, parse as parseKeys } from "../../../protocols/jose/jwks.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { Gate } from "../../5-policy/Gate.ts"
import type { RemoteDocument } from "../../5-policy/RemoteDocument.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import type { Signer } from "../../ports/Cryptography.ts"
import type { Refusal } from "../../Refusal.ts"
import { fromBase64Url, toBase64Url } from "../../../protocols/base64url.ts"

/** More than any honest rotation leaves on a card. */
const SIGNATURES_MAX = 8

/** How many different cards are kept signed; every name a client calls the gateway by makes one. */
const SIGNED_MAX = 256

/** Brings the protobuf library, so it is loaded when it is first needed. */
let loading: Promise<typeof Canonical> | undefined
const canonicalForms: Effect.Effect<typeof Canonical> = Effect.promise(
  () => (loading ??= import("../../../protocols/a2a/card/canonical.ts")),
)

type CardPolicy = NonNullable<A2a["card"]>

const refused = (why: string): Effect.Effect<never, Refusal> =>
  Effect.fail({ _tag: "ProcessingFailed", detail: `the agent's card is not accepted: ${why}` })

interface Signature {
  readonly protected: string
  readonly signature: string
  readonly algorithm: string
  readonly kid: string | undefined
}

/** A signature that asks for something we do not know (`crit`) is none. */
const readSignature = (value: unknown): ReadonlyArray<Signature> => {
  const one = fieldsOf(value)
  const head = textOf(one["protected"])
  const signature = textOf(one["signature"])
  const header = fieldsOf(parse(fromBase64Url(head ?? "") ?? "")?.value)
  const algorithm = textOf(header["alg"])
  if (head === undefined || signature === undefined || algorithm === undefined || "crit" in header) return []
  return [{ protected: head, signature, algorithm, kid: textOf(header["kid"]) }]
}

const candidates = (keys: KeySet, { algorithm, kid }: Signature): ReadonlyArray<Key> =>
  keys.keys.filter((key) => key.algorithms.includes(algorithm) && (kid === undefined || key.kid === kid))

export class Seal {
  private readonly policy: CardPolicy
  private readonly gate: Gate
  private readonly fixed: KeySet | undefined
  private readonly remote: RemoteDocument<KeySet> | undefined
  private readonly verdicts = new WeakMap<
    Fields,
    { readonly keys: KeySet | undefined; readonly card: Fields | undefined }
  >()
  private readonly signed = new Map<string, Fields>()
  private signer: Promise<Signer | string> | undefined

  constructor(policy: CardPolicy, gate: Gate) {
    this.policy = policy
    this.gate = gate
    const keys = policy.verify?.keys
    const parsed = keys?._tag === "Inline" ? parseKeys(keys.text) : undefined
    this.fixed = typeof parsed === "string" ? undefined : parsed
    this.remote = keys?._tag === "Remote" ? gate.keysAt(keys.url) : undefined
  }

  get signs(): boolean {
    return this.policy.sign !== undefined
  }

  /** The card as far as it may be believed. */
  verify(card: Fields, deadlineMillis: number): Effect.Effect<Fields, Refusal> {
    const { verify } = this.policy
    if (verify === undefined) return Effect.succeed(card)
    const signatures = listOf(card["signatures"])
    if (signatures.length === 0) {
      return verify.mode === "required" ? refused("it is not signed") : Effect.succeed(card)
    }
    if (signatures.length > SIGNATURES_MAX) return refused(`it has more than ${SIGNATURES_MAX} signatures`)
    const waiting = this.remote?.touch(deadlineMillis)
    const judged = Effect.suspend(() => this.judge(card, signatures.flatMap(readSignature)))
    return waiting === undefined ? judged : Effect.flatMap(waiting, () => judged)
  }

  private judge(card: Fields, signatures: ReadonlyArray<Signature>): Effect.Effect<Fields, Refusal> {
    const keys = this.fixed ?? this.remote?.value
    if (keys === undefined) return refused("the keys to verify it with cannot be had")
    const before = this.verdicts.get(card)
    if (before !== undefined && before.keys === keys) {
      return before.card === undefined ? refused("no signature on it is valid") : Effect.succeed(before.card)
    }
    return Effect.flatMap(canonicalForms, (canonical) =>
      Effect.flatMap(
        Effect.promise(() => this.covered(canonical.forms(card), signatures, keys)),
        (believed): Effect.Effect<Fields, Refusal> => {
          this.verdicts.set(card, { keys, card: believed })
          return believed === undefined ? refused("no signature on it is valid") : Effect.succeed(believed)
        },
      ),
    )
  }

  /** What a valid signature covers; undefined: none is valid. */
  private async covered(
    forms: ReadonlyArray<Canonical.Form>,
    signatures: ReadonlyArray<Signature>,
    keys: KeySet,
  ): Promise<Fields | undefined> {
    const { cryptography } = this.gate
    for (const one of signatures) {
      for (const key of candidates(keys, one)) {
        for (const { covers, text } of forms) {
          const token = `${one.protected}.${toBase64Url(text)}.${one.signature}`
          if (await cryptography.verifySignature(token, key.jwk, one.algorithm)) return covers
        }
      }
    }
    return undefined
  }

  private signerOf(): Effect.Effect<Signer, Refusal> {
    const { sign } = this.policy
    if (sign === undefined) return Effect.fail({ _tag: "ProcessingFailed", detail: "no key to sign cards with" })
    return Effect.flatMap(
      Effect.promise(() => (this.signer ??= this.gate.cryptography.signer(sign.key, sign.keyId))),
      (signer) =>
        typeof signer === "string"
          ? Effect.fail<Refusal>({ _tag: "ProcessingFailed", detail: `cards cannot be signed: ${signer}` })
          : Effect.succeed(signer),
    )
  }

  /** The card with the gateway's signature, where it signs; `keysUrl` says where its key is published. */
  sign(card: Fields, keysUrl: string): Effect.Effect<Fields, Refusal> {
    if (!this.signs) return Effect.succeed(card)
    return Effect.flatMap(canonicalForms, (canonical) => {
      const form = canonical.canonical(card)
      const key = `${keysUrl} ${form}`
      const before = this.signed.get(key)
      if (before !== undefined) return Effect.succeed({ ...card, signatures: [before] })
      return Effect.flatMap(this.signerOf(), (signer) =>
        Effect.map(
          Effect.promise(() => signer.sign(form, { typ: "JOSE", jku: keysUrl })),
          (made) => {
            if (this.signed.size >= SIGNED_MAX) this.signed.clear()
            const signature: Fields = { protected: made.protected, signature: made.signature }
            this.signed.set(key, signature)
            return { ...card, signatures: [signature] }
          },
        ),
      )
    })
  }

  /** The keys that verify what the gateway signs. */
  published(): Effect.Effect<Reply, Refusal> {
    return Effect.map(this.signerOf(), ({ jwk }) => ({
      status: 200,
      headers: new Headers(["content-type", "application/jwk-set+json", "cache-control", "max-age=300"]),
      body: Body.text(JSON.stringify({ keys: [jwk] })),
      origin: "gateway",
    }))
  }
}
