/** By which name a backend is called where no client gave one. */
import { authorityOf } from "./authority.ts"
import type { Resolved } from "./resolve.ts"

export const nameOf = ({
  policies,
  where,
}: Resolved): { readonly authority: string; readonly host: string } | undefined => {
  const scheme = policies.BackendTls === undefined ? "http" : "https"
  if (where._tag === "Host") {
    const { target } = where
    const authority = authorityOf(target, scheme)
    return authority === undefined || target._tag === "Unix"
      ? { authority: "localhost", host: "localhost" }
      : { authority, host: target.host }
  }
  if (where._tag !== "Service") return undefined
  const host = where.service.hostname
  return { authority: authorityOf({ _tag: "Host", host, port: where.port }, scheme) ?? host, host }
}
