/** A service that the gateway itself calls, and the policies of those calls. */
import * as Schema from "effect/Schema"
import type { Named } from "../Named.ts"
import { BackendRef } from "../BackendRef.ts"
import { A2aSpoken } from "./A2aSpoken.ts"
import { BackendAuth } from "./BackendAuth.ts"
import { BackendHttp } from "./BackendHttp.ts"
import { BackendTcp } from "./BackendTcp.ts"
import { BackendTls } from "./BackendTls.ts"
import { BackendTunnel } from "./BackendTunnel.ts"
import { RequestHeaderModifier } from "./RequestHeaderModifier.ts"
import { Transformations } from "./Transformations.ts"

/** The part of the backend policies that makes sense where no client is waiting for what comes back. */
const calleePolicy = Schema.Union([
  RequestHeaderModifier,
  Transformations,
  BackendTls,
  BackendAuth,
  BackendHttp,
  BackendTcp,
  BackendTunnel,
  /** Of an agent that is called. */
  A2aSpoken,
]).pipe(Schema.toTaggedUnion("_tag"))
export interface CalleePolicySchema extends Named<typeof calleePolicy> {}
export const CalleePolicy: CalleePolicySchema = calleePolicy
export type CalleePolicy = typeof CalleePolicy.Type

const callee = Schema.Struct({ backend: BackendRef, policies: Schema.Array(CalleePolicy) })
export interface CalleeSchema extends Named<typeof callee> {}
export const Callee: CalleeSchema = callee
export type Callee = typeof Callee.Type
