/** Every policy kind, in three families named after where they act. */
import * as Schema from "effect/Schema"
import { Expression } from "./Expression.ts"
import type { Named } from "./Named.ts"
import { A2a } from "./policy/A2a.ts"
import { AccessLog } from "./policy/AccessLog.ts"
import { Ai } from "./policy/Ai.ts"
import { ApiKey } from "./policy/ApiKey.ts"
import { Authorization } from "./policy/Authorization.ts"
import { BackendAuth } from "./policy/BackendAuth.ts"
import { BackendHttp } from "./policy/BackendHttp.ts"
import { BackendTcp } from "./policy/BackendTcp.ts"
import { BackendTls } from "./policy/BackendTls.ts"
import { BackendTunnel } from "./policy/BackendTunnel.ts"
import { BasicAuth } from "./policy/BasicAuth.ts"
import { BodyLimit } from "./policy/BodyLimit.ts"
import { Buffer } from "./policy/Buffer.ts"
import { ConcurrencyLimit } from "./policy/ConcurrencyLimit.ts"
import { Connect } from "./policy/Connect.ts"
import { ConnectionLimit } from "./policy/ConnectionLimit.ts"
import { Cors } from "./policy/Cors.ts"
import { Csrf } from "./policy/Csrf.ts"
import { Delay } from "./policy/Delay.ts"
import { DirectResponse } from "./policy/DirectResponse.ts"
import { ExtAuthz } from "./policy/ExtAuthz.ts"
import { ExtProc } from "./policy/ExtProc.ts"
import { Health } from "./policy/Health.ts"
import { Http } from "./policy/Http.ts"
import { InferenceRouting } from "./policy/InferenceRouting.ts"
import { IpAccessControl } from "./policy/IpAccessControl.ts"
import { JwtAuth } from "./policy/JwtAuth.ts"
import { LocalRateLimit } from "./policy/LocalRateLimit.ts"
import { McpAuthentication } from "./policy/McpAuthentication.ts"
import { McpAuthorization } from "./policy/McpAuthorization.ts"
import { McpGuardrails } from "./policy/McpGuardrails.ts"
import { NetworkAuthorization } from "./policy/NetworkAuthorization.ts"
import { NetworkExtAuthz } from "./policy/NetworkExtAuthz.ts"
import { Oidc } from "./policy/Oidc.ts"
import { ProxyProtocol } from "./policy/ProxyProtocol.ts"
import { RemoteRateLimit } from "./policy/RemoteRateLimit.ts"
import { RequestHeaderModifier } from "./policy/RequestHeaderModifier.ts"
import { RequestMirror } from "./policy/RequestMirror.ts"
import { RequestRedirect } from "./policy/RequestRedirect.ts"
import { ResponseHeaderModifier } from "./policy/ResponseHeaderModifier.ts"
import { Retry } from "./policy/Retry.ts"
import { SessionAffinity } from "./policy/SessionAffinity.ts"
import { Tcp } from "./policy/Tcp.ts"
import { Timeout } from "./policy/Timeout.ts"
import { Tls } from "./policy/Tls.ts"
import { Tracing } from "./policy/Tracing.ts"
import { Transformations } from "./policy/Transformations.ts"
import { UrlRewrite } from "./policy/UrlRewrite.ts"

/** Per connection, or what is recorded about each request. */
const frontendPolicy = Schema.Union([
  Http,
  Tls,
  Tcp,
  NetworkAuthorization,
  NetworkExtAuthz,
  ConnectionLimit,
  ProxyProtocol,
  Connect,
  AccessLog,
  Tracing,
]).pipe(Schema.toTaggedUnion("_tag"))
export interface FrontendPolicySchema extends Named<typeof frontendPolicy> {}
export const FrontendPolicy: FrontendPolicySchema = frontendPolicy
export type FrontendPolicy = typeof FrontendPolicy.Type
export type FrontendKind = FrontendPolicy["_tag"]

/** Kinds whose content may depend on a condition; see `Conditional`. */
const conditionalCases = [
  Cors,
  JwtAuth,
  BasicAuth,
  ApiKey,
  ExtAuthz,
  ExtProc,
  Transformations,
  LocalRateLimit,
  RemoteRateLimit,
  Buffer,
  Csrf,
  RequestHeaderModifier,
  ResponseHeaderModifier,
  UrlRewrite,
  RequestRedirect,
  Delay,
  DirectResponse,
] as const

const conditionalPolicy = Schema.Union(conditionalCases).pipe(Schema.toTaggedUnion("_tag"))
export interface ConditionalPolicySchema extends Named<typeof conditionalPolicy> {}
export const ConditionalPolicy: ConditionalPolicySchema = conditionalPolicy
export type ConditionalPolicy = typeof ConditionalPolicy.Type
export type ConditionalKind = ConditionalPolicy["_tag"]

export const conditionalEntriesMax = 64

export const Entry = Schema.Struct({ condition: Schema.optionalKey(Expression), policy: ConditionalPolicy })
export type Entry = typeof Entry.Type

/**
 * Several contents for one kind: the first whose condition holds for the request takes effect, reply half included;
 * none may. Only the last entry may lack a condition, and all are of one kind.
 */
export const Conditional = Schema.TaggedStruct("Conditional", {
  entries: Schema.NonEmptyArray(Entry).check(
    Schema.makeFilter((entries) => {
      if (entries.length > conditionalEntriesMax) return `at most ${conditionalEntriesMax} entries`
      if (entries.slice(0, -1).some((entry) => entry.condition === undefined)) {
        return "an entry without a condition last"
      }
      return entries.some((entry) => entry.policy._tag !== entries[0].policy._tag)
        ? "entries of one kind of policy"
        : undefined
    }),
  ),
})
export type Conditional = typeof Conditional.Type

/** Per exchange, before or after its route is chosen. */
const trafficPolicy = Schema.Union([
  ...conditionalCases,
  Oidc,
  McpAuthentication,
  Authorization,
  ConcurrencyLimit,
  BodyLimit,
  IpAccessControl,
  Timeout,
  Retry,
  RequestMirror,
  Ai,
  Conditional,
]).pipe(Schema.toTaggedUnion("_tag"))
export interface TrafficPolicySchema extends Named<typeof trafficPolicy> {}
export const TrafficPolicy: TrafficPolicySchema = trafficPolicy
export type TrafficPolicy = typeof TrafficPolicy.Type
export type TrafficKind = Exclude<TrafficPolicy["_tag"], "Conditional">

/** Per attempt at an upstream, also for calls the gateway makes on its own. */
const backendPolicy = Schema.Union([
  BackendTls,
  BackendAuth,
  BackendTunnel,
  BackendHttp,
  BackendTcp,
  Health,
  SessionAffinity,
  InferenceRouting,
  A2a,
  McpAuthorization,
  McpGuardrails,
  RequestHeaderModifier,
  ResponseHeaderModifier,
  RequestRedirect,
  RequestMirror,
  Transformations,
  Authorization,
  ExtAuthz,
  Ai,
]).pipe(Schema.toTaggedUnion("_tag"))
export interface BackendPolicySchema extends Named<typeof backendPolicy> {}
export const BackendPolicy: BackendPolicySchema = backendPolicy
export type BackendPolicy = typeof BackendPolicy.Type
export type BackendKind = BackendPolicy["_tag"]
