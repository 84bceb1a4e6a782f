/**
 * Knows callers by a key. Only hashes of keys are kept and compared, so how long the search takes says nothing about
 * how close a guess was.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ApiKey, IssuedKey } from "../../ir/policy/ApiKey.ts"
import type { AuthenticationMode } from "../../ir/policy/JwtAuth.ts"
import type { CredentialLocation } from "../../ir/policy/CredentialLocation.ts"
import type { Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Refusal } from "../Refusal.ts"
import type { VirtualKey } from "../ports/Keyring.ts"
import { compile as credentialAt, isHeader } from "./credential.ts"
import type { Gate } from "./Gate.ts"
import type { Layer } from "./order.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

interface Issued {
  readonly issued: IssuedKey
  readonly expiresMillis: number
  /** Made when the key is first used: before, a key that is configured by its hash is not known. */
  identity: Identity | undefined
}

export type Keys = ReadonlyMap<string, Issued>

export const compileKeys = (keys: ReadonlyArray<IssuedKey>, sha256: (text: string) => string): Keys => {
  const known = new Map<string, Issued>()
  for (const issued of keys) {
    const hash = issued.value._tag === "Hashed" ? issued.value.sha256 : sha256(Redacted.value(issued.value.key))
    if (known.has(hash)) continue
    known.set(hash, { issued, expiresMillis: issued.expiresMillis ?? Infinity, identity: undefined })
  }
  return known
}

export type Decision =
  /** Nobody is known, and that is enough. */
  | { readonly _tag: "Anonymous" }
  | { readonly _tag: "Known"; readonly key: Issued }
  | { readonly _tag: "Refused"; readonly why: "absent" | "invalid" }

const anonymous: Decision = { _tag: "Anonymous" }
const absent: Decision = { _tag: "Refused", why: "absent" }
const invalid: Decision = { _tag: "Refused", why: "invalid" }

/** `hash` is that of the key that came, if one came. */
export const decide = (
  keys: Keys,
  mode: AuthenticationMode,
  hash: string | undefined,
  wallMillis: number,
): Decision => {
  if (hash === undefined) return mode === "strict" ? absent : anonymous
  const key = keys.get(hash)
  if (key !== undefined && wallMillis < key.expiresMillis) return { _tag: "Known", key }
  return mode === "permissive" ? anonymous : invalid
}

/** Only a key that is sent as an authorization has a scheme that a challenge could name. */
const challenge = (location: CredentialLocation, error: string): ReadonlyArray<string> => {
  if (!isHeader(location, "authorization") || location._tag !== "Header") return []
  const scheme = /^([A-Za-z][\w-]*) $/.exec(location.prefix ?? "")?.[1]
  return scheme === undefined ? [] : ["www-authenticate", scheme + error]
}

const refusal = (detail: string, headers: ReadonlyArray<string>): Effect.Effect<Verdict, Refusal> =>
  Effect.fail({ _tag: "ApiKeyAuth", detail, headers })

const identityOf = (key: Issued, value: string, id: string): Identity =>
  (key.identity ??= {
    apiKey: {
      key: Redacted.make(value),
      id,
      budgets: key.issued.budgets,
      metadata: key.issued.metadata,
      allowedModels: key.issued.allowedModels,
      allowedTools: key.issued.allowedTools,
    },
  })

const step = (policy: ApiKey, gate: Gate, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { clock } = ports
  const at = credentialAt(policy.location, ports, layer)
  const { sha256 } = gate.cryptography
  const keys = compileKeys(policy.keys, sha256)
  const refusals = {
    absent: refusal("no API Key found", challenge(policy.location, "")),
    invalid: refusal("invalid credentials", challenge(policy.location, ' error="invalid_token"')),
  }
  const keyring = policy.virtual === true ? gate.keyring : undefined
  const issued = new WeakMap<VirtualKey, Issued>()
  /** What a key of the gateway's own is to this step. */
  const issuedOf = (virtual: VirtualKey): Issued => {
    let known = issued.get(virtual)
    if (known === undefined) {
      known = { issued: virtual.issued, expiresMillis: virtual.issued.expiresMillis ?? Infinity, identity: undefined }
      issued.set(virtual, known)
    }
    return known
  }
  const run = (
    subject: Subject,
    value: string | undefined,
    hash: string | undefined,
    virtual: VirtualKey | undefined,
  ): Effect.Effect<Verdict, Refusal> => {
    const decision =
      virtual === undefined || hash === undefined
        ? decide(keys, policy.mode, hash, clock.wallMillis())
        : decide(new Map([[hash, issuedOf(virtual)]]), policy.mode, hash, clock.wallMillis())
    switch (decision._tag) {
      case "Anonymous":
        return pass
      case "Refused":
        return refusals[decision.why]
      case "Known": {
        identify(subject, identityOf(decision.key, value as string, virtual?.id ?? (hash ?? "").slice(0, 16)))
        at.remove(subject.request)
        return pass
      }
    }
  }
  return {
    kind: "ApiKey",
    readsBody: at.readsBody,
    run: (subject) => {
      const value = at.extract(subject)
      const hash = value === undefined ? undefined : sha256(value)
      if (keyring === undefined || hash === undefined || keys.has(hash)) return run(subject, value, hash, undefined)
      const virtual = keyring.known(hash)
      return virtual === undefined
        ? Effect.flatMap(keyring.find(hash), (found) => run(subject, value, hash, found))
        : run(subject, value, hash, virtual)
    },
  }
}

export const compile = (policy: ApiKey, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate === undefined) return broken("ApiKey", "nothing here can compute hashes")
  return gate.once(policy, () => step(policy, gate, ports, layer))
}
