/** `proxyProtocol`: the header in which a proxy in front names the client. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { ProxyProtocol as IrProxyProtocol } from "../../../../ir/policy/ProxyProtocol.ts"
import { anyCase, opt } from "../grammar.ts"

export const ProxyProtocol = Schema.Struct({
  version: opt(anyCase(["v1", "v2", "all"]), "v2 unless set."),
  mode: opt(anyCase(["strict", "optional"]), "`optional` also serves connections without the header."),
}).annotate({ identifier: "ProxyProtocol" })
export type ProxyProtocol = typeof ProxyProtocol.Type

export const proxyProtocol = (policy: ProxyProtocol): IrProxyProtocol => ({
  _tag: "ProxyProtocol",
  version: policy.version ?? defaults.proxyVersion,
  mode: policy.mode ?? defaults.proxyMode,
})
