/** The backends a policy refers to, and where in it. */
import type { BackendRef } from "./BackendRef.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "./Policy.ts"
import type { PromptGuard, RequestGuard, ResponseGuard } from "./policy/PromptGuard.ts"

export type Path = ReadonlyArray<string | number>

export interface Reference {
  readonly path: Path
  readonly ref: BackendRef
  /** It is what connections are made through, so it has to be one address. */
  readonly isProxy?: true
}

type AnyPolicy = FrontendPolicy | TrafficPolicy | BackendPolicy

export const references = (policy: AnyPolicy, path: Path = []): ReadonlyArray<Reference> => {
  switch (policy._tag) {
    case "Conditional":
      return policy.entries.flatMap((entry, i) => references(entry.policy, [...path, "entries", i, "policy"]))
    case "ExtAuthz":
    case "NetworkExtAuthz":
    case "ExtProc":
    case "RemoteRateLimit":
    case "Tracing":
      return calleeReferences(policy.callee, [...path, "callee"])
    case "AccessLog":
      return policy.otlp === undefined ? [] : calleeReferences(policy.otlp.callee, [...path, "otlp", "callee"])
    case "RequestMirror":
      return policy.mirrors.map(({ backend }, i) => ({ path: [...path, "mirrors", i, "backend"], ref: backend }))
    case "BackendTunnel":
      return [{ path: [...path, "proxy"], ref: policy.proxy, isProxy: true }]
    case "InferenceRouting":
      return [{ path: [...path, "endpointPicker"], ref: policy.endpointPicker }]
    case "McpGuardrails":
      return policy.processors.flatMap((one, i) =>
        one._tag === "Remote" ? calleeReferences(one.callee, [...path, "processors", i, "callee"]) : [],
      )
    case "BackendAuth": {
      const { auth } = policy
      if (auth?._tag === "OauthTokenExchange" || auth?._tag === "OauthClientCredentials") {
        return calleeReferences(auth.endpoint.callee, [...path, "auth", "endpoint", "callee"])
      }
      if (auth?._tag === "CrossAppAccess") {
        return [
          ...calleeReferences(auth.identityProvider.callee, [...path, "auth", "identityProvider", "callee"]),
          ...calleeReferences(auth.resourceAuthorizationServer.callee, [
            ...path,
            "auth",
            "resourceAuthorizationServer",
            "callee",
          ]),
        ]
      }
      return []
    }
    case "A2a":
      return policy.guard === undefined ? [] : ofGuards(policy.guard, [...path, "guard"])
    case "Ai": {
      const { promptGuard, responseCache } = policy
      const semantic = responseCache?.semantic
      return [
        ...(promptGuard === undefined ? [] : ofGuards(promptGuard, [...path, "promptGuard"])),
        ...(semantic === undefined
          ? []
          : calleeReferences(semantic.callee, [...path, "responseCache", "semantic", "callee"])),
      ]
    }
    default:
      return []
  }
}

export const calleeReferences = (
  callee: { readonly backend: BackendRef; readonly policies: ReadonlyArray<BackendPolicy> },
  path: Path,
): ReadonlyArray<Reference> => [
  { path: [...path, "backend"], ref: callee.backend },
  ...callee.policies.flatMap((policy, i) => references(policy, [...path, "policies", i])),
]

const ofGuards = ({ request, response }: PromptGuard, path: Path): ReadonlyArray<Reference> => [
  ...request.flatMap((guard, i) => ofGuard(guard, [...path, "request", i, "kind"])),
  ...response.flatMap((guard, i) => ofGuard(guard, [...path, "response", i, "kind"])),
]

const ofGuard = ({ kind }: RequestGuard | ResponseGuard, path: Path): ReadonlyArray<Reference> => {
  switch (kind._tag) {
    case "Regex":
    case "Keywords":
    case "PromptInjection":
      return []
    case "Webhook":
      return [{ path: [...path, "target"], ref: kind.target }]
    default:
      return kind.policies.flatMap((policy, i) => references(policy, [...path, "policies", i]))
  }
}
