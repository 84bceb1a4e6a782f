/** Policies that hold for a provider unless something else is configured: its own address is spoken to over TLS. */
import { defaults } from "../../../ir/defaults.ts"
import type { LlmProvider } from "../../../ir/backend/Llm.ts"
import type { BackendPolicies } from "../../../ir/effective.ts"
import type { BackendTls } from "../../../ir/policy/BackendTls.ts"
import { traitsOf } from "./vendor/traitsOf.ts"

export const usualTls: BackendTls = {
  _tag: "BackendTls",
  tls: {
    verify: "full",
    subjectAltNames: [],
    minVersion: defaults.minTlsVersion,
    maxVersion: defaults.maxTlsVersion,
    cipherSuites: [],
    keyExchangeGroups: [],
  },
}

/** The same objects for the same provider, so that what was compiled from them is recognised. */
const known = new WeakMap<LlmProvider, BackendPolicies>()

export const implicitPolicies = (provider: LlmProvider): BackendPolicies => {
  let policies = known.get(provider)
  if (policies === undefined) known.set(provider, (policies = made(provider)))
  return policies
}

const made = (provider: LlmProvider): BackendPolicies => {
  if (provider.target !== undefined || provider.vendor._tag === "Echo") return {}
  const { implicitAuth } = traitsOf(provider.vendor)
  return {
    BackendTls: usualTls,
    ...(implicitAuth === undefined
      ? {}
      : { BackendAuth: { _tag: "BackendAuth", auth: implicitAuth, credentials: [] } }),
  }
}
