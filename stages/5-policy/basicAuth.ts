/**
 * Knows callers by name and password (RFC 7617). Hashes of passwords are slow to check on purpose, so a check happens
 * elsewhere and once: what it found is remembered by a digest of the credentials.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { fromBase64 } from "../../protocols/base64.ts"
import type { BasicAuth } from "../../ir/policy/BasicAuth.ts"
import { parse } from "../../protocols/http/htpasswd.ts"
import type { Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Refusal } from "../Refusal.ts"
import { compile as credentialAt, isHeader } from "./credential.ts"
import type { Gate } from "./Gate.ts"
import { Proofs } from "./Proofs.ts"
import type { Layer } from "./order.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** How many credentials that were found right are remembered, and how many that were found wrong. */
export const RIGHT_CREDENTIALS_MAX = 4096
export const WRONG_CREDENTIALS_MAX = 1024
/** No check is spent on more. */
export const CREDENTIAL_CHARS_MAX = 2048

export interface UserPass {
  readonly user: string
  readonly password: string
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Undefined when it is not what a client may send. */
export const decode = (credential: string): UserPass | undefined => {
  if (credential.length > CREDENTIAL_CHARS_MAX) return undefined
  let text: string
  try {
    text = utf8.decode(fromBase64(credential))
  } catch {
    return undefined
  }
  const colon = text.indexOf(":")
  // Control characters are forbidden, and some readers take a NUL for the end.
  if (colon < 0 || /\p{Cc}/u.test(text)) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

const quoted = (text: string): string => `"${text.replaceAll(/[^\x20-\x7e]/g, "?").replaceAll(/["\\]/g, "\\$&")}"`

const step = (policy: BasicAuth, gate: Gate, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const at = credentialAt(policy.location, ports, layer)
  const { sha256, verifyPassword } = gate.cryptography
  const { users } = parse(Redacted.value(policy.htpasswd))
  const right = new Proofs<Identity>(RIGHT_CREDENTIALS_MAX)
  const wrong = new Proofs<true>(WRONG_CREDENTIALS_MAX)
  const checks = new Proofs<Identity | undefined>(0)

  const isProxy = isHeader(policy.location, "proxy-authorization")
  const _tag = isProxy ? "ProxyBasicAuth" : "BasicAuth"
  const headers = [
    isProxy ? "proxy-authenticate" : "www-authenticate",
    `Basic realm=${quoted(policy.realm)}, charset="UTF-8"`,
  ]
  const absent: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag, detail: "no credentials found", headers })
  const invalid: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag, detail: "invalid credentials", headers })
  const busy: Effect.Effect<Verdict, Refusal> = Effect.fail({
    _tag: "Overloaded",
    detail: "passwords cannot be checked at the moment",
  })

  /** Who is not there takes as long to refuse as somebody who is, so that nobody learns which names exist. */
  const [decoy] = users.values()
  const check = async ({ password, user }: UserPass): Promise<Identity | undefined> => {
    const hash = users.get(user)
    const compared = hash ?? decoy
    const isRight = compared !== undefined && (await verifyPassword(password, compared))
    return isRight && hash !== undefined ? { basicAuth: { username: user } } : undefined
  }

  const accept = (subject: Subject, identity: Identity): Effect.Effect<Verdict> => {
    identify(subject, identity)
    at.remove(subject.request)
    return pass
  }

  return {
    kind: "BasicAuth",
    readsBody: at.readsBody,
    run: (subject) => {
      const credential = at.extract(subject)
      if (credential === undefined) return policy.mode === "strict" ? absent : pass
      const digest = sha256(credential)
      const known = right.get(digest, 0)
      if (known !== undefined) return accept(subject, known)
      if (wrong.get(digest, 0) === true) return invalid
      const given = decode(credential)
      if (given === undefined) return invalid
      return Effect.matchEffect(
        Effect.tryPromise(() => checks.once(digest, () => check(given))),
        {
          onFailure: () => busy,
          onSuccess: (identity): Effect.Effect<Verdict, Refusal> => {
            if (identity === undefined) {
              wrong.put(digest, true, Infinity)
              return invalid
            }
            right.put(digest, identity, Infinity)
            return accept(subject, identity)
          },
        },
      )
    },
  }
}

export const compile = (policy: BasicAuth, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate === undefined) return broken("BasicAuth", "nothing here can check passwords")
  return gate.once(policy, () => step(policy, gate, ports, layer))
}
