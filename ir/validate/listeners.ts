/** What arrives at a bind, and which listener takes it. */
import type { Bind } from "../Bind.ts"
import type { Issue } from "../Issue.ts"
import type { Listener } from "../Listener.ts"
import { isTls } from "../listenerProtocol.ts"
import type { Snapshot } from "../Snapshot.ts"
import { type At, dangling, type Found, issue } from "./Found.ts"
import { listenerTls } from "./tls.ts"

export function* listeners(snapshot: Snapshot): Iterable<Issue> {
  const seen = new Map<string, Listener>()
  const tcp = new Map<string, Listener>()
  for (const listener of snapshot.listeners.values()) {
    const at = (found: Found) => issue("listeners", listener.key, found)
    const bind = snapshot.binds.get(listener.bind)
    if (bind === undefined) {
      yield at(dangling(["bind"], `bind ${listener.bind}`))
      continue
    }
    yield* listenerTls(listener, bind, at)
    yield* listenerProtocol(listener, bind, at)
    if (bind.protocol === "tcp") {
      const other = tcp.get(bind.key)
      if (other === undefined) tcp.set(bind.key, listener)
      else {
        yield at({
          code: "protocol",
          path: ["bind"],
          message: `listener ${other.key} already takes every connection of the TCP bind ${bind.key}`,
          remedy: "give each TCP listener a port of its own",
        })
      }
      continue
    }
    if (listener.protocol === "HBONE") continue
    const place = [bind.key, isTls(listener) ? "tls" : "plain", listener.hostname].join("\0")
    const other = seen.get(place)
    if (other === undefined) seen.set(place, listener)
    else {
      yield at({
        code: "unreachable",
        path: ["hostname"],
        message: `listener ${other.key} already takes ${listener.hostname} on bind ${bind.key}`,
        remedy: "use another host name, or put the routes on one listener",
      })
    }
  }
}

const carried: { readonly [K in Bind["protocol"]]: ReadonlyArray<Listener["protocol"]> } = {
  http: ["HTTP", "HBONE"],
  tls: ["HTTPS", "TLS", "HBONE"],
  tcp: ["TCP", "HBONE"],
  auto: ["HTTP", "HTTPS", "TLS", "HBONE"],
}

function* listenerProtocol(listener: Listener, bind: Bind, at: At): Iterable<Issue> {
  if (carried[bind.protocol].includes(listener.protocol)) return
  yield at({
    code: "protocol",
    path: ["protocol"],
    message: `nothing for ${listener.protocol} can arrive on ${bind.key}, which expects ${bind.protocol}`,
    remedy: `use one of ${carried[bind.protocol].join(", ")}, or another bind`,
  })
}
