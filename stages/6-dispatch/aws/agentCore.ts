/** Agent runtimes of Amazon Bedrock: where one is, how it is reached, and what holds for it unless told otherwise. */
import type { AgentCore, HostTarget } from "../../../ir/Backend.ts"
import type { BackendPolicies } from "../../../ir/effective.ts"
import type { BackendAuth } from "../../../ir/policy/BackendAuth.ts"
import type { BackendTls } from "../../../ir/policy/BackendTls.ts"
import { systemTrust } from "../../../ir/defaults.ts"
import type { Request } from "../../Exchange.ts"

export interface Runtime {
  readonly target: HostTarget
  readonly host: string
  readonly region: string
  readonly path: string
  readonly qualifier: string | undefined
}

export const SERVICE = "bedrock-agentcore"

export const runtimeOf = ({ qualifier, runtimeArn }: AgentCore): Runtime => {
  const [, partition = "aws", , region = ""] = runtimeArn.split(":")
  const host = `${SERVICE}.${region}.amazonaws.com${partition === "aws-cn" ? ".cn" : ""}`
  return {
    target: { _tag: "Host", host, port: 443 },
    host,
    region,
    path: `/runtimes/${encodeURIComponent(runtimeArn)}/invocations`,
    qualifier,
  }
}

export const sameRuntime = (a: Runtime, b: Runtime): boolean => a.path === b.path && a.qualifier === b.qualifier

const tls: BackendTls = { _tag: "BackendTls", tls: systemTrust }
const auth: BackendAuth = { _tag: "BackendAuth", auth: { _tag: "Aws" }, credentials: [] }

export const withDefaults = (policies: BackendPolicies): BackendPolicies => ({
  ...policies,
  BackendTls: policies.BackendTls ?? tls,
  BackendAuth: policies.BackendAuth ?? auth,
})

/** The request on its way to the runtime, whatever path it came by; what else its query said stays. */
export const addressed = (request: Request, { host, path, qualifier }: Runtime): Request => {
  const sent = request.copy()
  sent.authority = host
  sent.host = host
  sent.path = path
  if (qualifier !== undefined) {
    const others = (sent.query ?? "").split("&").filter((pair) => pair !== "" && !/^qualifier(?:=|$)/.test(pair))
    sent.query = [...others, `qualifier=${encodeURIComponent(qualifier)}`].join("&")
  }
  return sent
}
