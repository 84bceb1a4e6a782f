/** `backendTunnel`: a proxy that the backend is reached through. */
import * as Schema from "effect/Schema"
import { isForProxy } from "../../../../ir/isForProxy.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { BackendTunnel as IrBackendTunnel } from "../../../../ir/policy/BackendTunnel.ts"
import type { Path } from "../../ConfigIssue.ts"
import { SimpleRef, simpleRef } from "../BackendRef.ts"
import { opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { BackendTcp, backendTcp } from "./BackendTcp.ts"
import { BackendTls, backendTls } from "./BackendTls.ts"
import { fixedKey, ownAuth } from "./CloudAuth.ts"

const backendTunnelShape = Schema.Struct({
  proxy: SimpleRef,
  policies: opt(
    Schema.Struct({
      backendTLS: opt(BackendTls),
      tcp: opt(BackendTcp),
      backendAuth: opt(Schema.Struct({ key: ownAuth.key })),
    }),
  ),
}).annotate({ identifier: "BackendTunnel", description: "Reach the backend through an HTTP proxy." })
export interface BackendTunnelSchema extends Named<typeof backendTunnelShape> {}
export const BackendTunnel: BackendTunnelSchema = backendTunnelShape
export type BackendTunnel = typeof BackendTunnel.Type

export const backendTunnel = (tunnel: BackendTunnel, path: Path, to: Mapping): IrBackendTunnel | undefined => {
  const proxy = simpleRef(tunnel.proxy, [...path, "proxy"], to)
  const { backendAuth, backendTLS, tcp } = tunnel.policies ?? {}
  const tls = backendTLS === undefined ? undefined : backendTls(backendTLS, [...path, "policies", "backendTLS"], to)
  const key = backendAuth?.key
  const auth = key === undefined ? undefined : fixedKey(key, [...path, "policies", "backendAuth", "key"], to)
  if (auth !== undefined && !isForProxy(auth.location)) {
    return to.fail(
      [...path, "policies", "backendAuth", "key"],
      "a proxy takes its credential in the authorization header only",
      "Leave `location` out, or name the header `proxy-authorization`.",
    )
  }
  if (backendTLS !== undefined) {
    return to.fail(
      [...path, "policies", "backendTLS"],
      "a proxy that is spoken to over TLS is not built yet",
      "Name a proxy that takes plain connections; what goes through it to the backend may still be TLS.",
    )
  }
  if (
    proxy === undefined ||
    (backendTLS !== undefined && tls === undefined) ||
    (key !== undefined && auth === undefined)
  ) {
    return undefined
  }
  return {
    _tag: "BackendTunnel",
    proxy,
    ...present({ tls: tls?.tls, tcp: tcp === undefined ? undefined : backendTcp(tcp), auth }),
  }
}
