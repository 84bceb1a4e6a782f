/** A service that a policy calls, and the policies of that call. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Callee as IrCallee, CalleePolicy } from "../../../../ir/policy/Callee.ts"
import { compileEdits as ofRequest } from "../../../../stages/5-policy/requestHeaderModifier.ts"
import type { Path } from "../../ConfigIssue.ts"
import { reference, refFields } from "../BackendRef.ts"
import { opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { BackendAuth, backendAuth } from "./BackendAuth.ts"
import { BackendHttp, backendHttp } from "./BackendHttp.ts"
import { BackendTcp, backendTcp } from "./BackendTcp.ts"
import { BackendTls, backendTls, plainTls } from "./BackendTls.ts"
import { BackendTunnel, backendTunnel } from "./BackendTunnel.ts"
import { HeaderEdits, headerEdits } from "./HeaderEdits.ts"
import { Transformations, transformations } from "./Transformations.ts"

const calleePoliciesShape = Schema.Struct({
  requestHeaderModifier: opt(HeaderEdits),
  transformations: opt(Schema.Struct(Transformations)),
  backendTLS: opt(BackendTls),
  backendAuth: opt(BackendAuth),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
  backendTunnel: opt(BackendTunnel),
}).annotate({ identifier: "SimpleBackendPolicies", description: "Policies of calls that the gateway makes itself." })
export interface CalleePoliciesSchema extends Named<typeof calleePoliciesShape> {}
export const CalleePolicies: CalleePoliciesSchema = calleePoliciesShape
export type CalleePolicies = typeof CalleePolicies.Type

export const calleeFields = { ...refFields, policies: opt(CalleePolicies) }
const Callee = Schema.Struct(calleeFields)
export type Callee = typeof Callee.Type

export const calleePolicies = (policies: CalleePolicies, path: Path, to: Mapping): ReadonlyArray<CalleePolicy> => {
  const all: Array<CalleePolicy> = []
  const add = <K extends keyof CalleePolicies>(
    key: K,
    map: (policy: NonNullable<CalleePolicies[K]>, path: Path) => CalleePolicy | undefined,
  ) => {
    const policy = policies[key]
    if (policy === undefined || to.refused("policies", key, [...path, key])) return
    const mapped = map(policy, [...path, key])
    if (mapped !== undefined) all.push(mapped)
  }
  add("requestHeaderModifier", (edits, at) => ({
    _tag: "RequestHeaderModifier",
    ...headerEdits(edits, at, to, ofRequest),
  }))
  add("transformations", (both, at) => transformations(both, at, to))
  add("backendTLS", (tls, at) => backendTls(tls, at, to))
  add("backendAuth", (auth, at) => backendAuth(auth, at, to))
  add("http", backendHttp)
  add("tcp", backendTcp)
  add("backendTunnel", (tunnel, at) => backendTunnel(tunnel, at, to))
  return all
}

/** A service that a policy calls. */
export const callee = (of: Callee, path: Path, to: Mapping): IrCallee | undefined => {
  const found = reference(of, path, to)
  const policies = calleePolicies(of.policies ?? {}, [...path, "policies"], to)
  if (found === undefined) return undefined
  return {
    backend: found.backend,
    policies:
      found.tls && !policies.some((policy) => policy._tag === "BackendTls")
        ? [...policies, { _tag: "BackendTls", tls: plainTls }]
        : policies,
  }
}
