/** Policies that would refuse every request, because what they are to write cannot be written. */
import type { Issue } from "../../ir/Issue.ts"
import type { Path } from "../../ir/references.ts"
import type { BackendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { complaintOf as complaintOfAnswer } from "../../stages/5-policy/directResponse.ts"
import { compileEdits as compileRequestEdits } from "../../stages/5-policy/requestHeaderModifier.ts"
import { compileRedirect } from "../../stages/5-policy/requestRedirect.ts"
import { compileEdits as compileReplyEdits } from "../../stages/5-policy/responseHeaderModifier.ts"
import { complaintOf as complaintOfChange } from "../../stages/5-policy/transformations.ts"
import { compileRewrite } from "../../stages/5-policy/urlRewrite.ts"

/** What is compiled, or why it cannot be. */
const compiled = (policy: TrafficPolicy | BackendPolicy): unknown => {
  switch (policy._tag) {
    case "DirectResponse":
      return complaintOfAnswer(policy)
    case "RequestHeaderModifier":
      return compileRequestEdits(policy)
    case "RequestRedirect":
      return compileRedirect(policy)
    case "ResponseHeaderModifier":
      return compileReplyEdits(policy)
    case "Transformations":
      return (["request", "response"] as const)
        .map((side) => (policy[side] === undefined ? undefined : complaintOfChange(side, policy[side])))
        .find((complaint) => complaint !== undefined)
    case "UrlRewrite":
      return compileRewrite(policy)
    default:
      return undefined
  }
}

const encoded = "a path has no spaces, `?`, `#`, backslashes and characters beyond ASCII: percent-encode them"

export const checkPolicies = (snapshot: Snapshot): ReadonlyArray<Issue> => {
  const issues: Array<Issue> = []
  const look = (table: keyof Snapshot, key: string, policy: TrafficPolicy | BackendPolicy, path: Path): void => {
    for (const one of policy._tag === "Conditional" ? policy.entries.map((entry) => entry.policy) : [policy]) {
      const message = compiled(one)
      if (typeof message !== "string") continue
      const remedy = message.endsWith("is not a path") ? encoded : ""
      issues.push({ severity: "error", resource: { table, key }, code: "value", path, message, remedy })
    }
  }
  for (const [key, { backends, policies }] of snapshot.routes) {
    for (const [i, policy] of policies.entries()) look("routes", key, policy, ["policies", i])
    for (const [i, backend] of backends.entries()) {
      for (const [j, policy] of backend.policies.entries()) look("routes", key, policy, ["backends", i, "policies", j])
    }
  }
  for (const [key, { policies }] of snapshot.backends) {
    for (const [i, policy] of policies.entries()) look("backends", key, policy, ["policies", i])
  }
  for (const [key, { policy }] of snapshot.attachments) {
    if (policy._tag !== "Frontend") look("attachments", key, policy.policy, ["policy"])
  }
  return issues
}
