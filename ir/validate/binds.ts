import type { Bind } from "../Bind.ts"
import type { Issue } from "../Issue.ts"
import type { Snapshot } from "../Snapshot.ts"
import { issue } from "./Found.ts"

/** Two of these cannot be open at the same time when they are equal; a port without a host takes every host's. */
const addresses = ({ address }: Bind): { readonly exact: string; readonly any?: string } | undefined => {
  switch (address._tag) {
    case "Unix":
      return { exact: `unix:${address.path}` }
    case "Internal":
      return { exact: `internal:${address.port ?? "*"}` }
    case "Ip":
      if (address.port === 0) return undefined
      return { exact: `${address.host ?? "*"}:${address.port}`, any: `*:${address.port}` }
  }
}

export function* binds(snapshot: Snapshot): Iterable<Issue> {
  const taken = new Map<string, Bind>()
  const someHost = new Map<string, Bind>()
  for (const bind of snapshot.binds.values()) {
    const address = addresses(bind)
    if (address === undefined) continue
    const other =
      taken.get(address.exact) ??
      (address.any === undefined
        ? undefined
        : (taken.get(address.any) ?? (address.exact === address.any ? someHost.get(address.any) : undefined)))
    if (other === undefined) {
      taken.set(address.exact, bind)
      if (address.any !== undefined) someHost.set(address.any, bind)
      continue
    }
    yield issue("binds", bind.key, {
      code: "address",
      path: ["address"],
      message: `bind ${other.key} already listens on ${address.exact}`,
      remedy: "use another port, or put the listeners on one bind",
    })
  }
}
