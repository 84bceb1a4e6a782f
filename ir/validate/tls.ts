/** TLS that cannot be, towards clients and towards backends. */
import type { Bind } from "../Bind.ts"
import type { Issue } from "../Issue.ts"
import type { Listener } from "../Listener.ts"
import { isTls } from "../listenerProtocol.ts"
import type { BackendPolicy } from "../Policy.ts"
import type { Path } from "../references.ts"
import type { ClientTls, ServerTls } from "../Tls.ts"
import type { At } from "./Found.ts"

export function* listenerTls(listener: Listener, bind: Bind, at: At): Iterable<Issue> {
  if (listener.tls !== undefined) {
    if (!isTls(listener)) {
      yield at({
        code: "tls",
        path: ["tls"],
        message: `a listener for ${listener.protocol} does not use TLS`,
        remedy: "remove tls, or use protocol HTTPS or TLS",
      })
    }
    yield* versions(listener.tls, ["tls"], at)
    if (listener.tls.mintsLeaves && listener.tls.clientCertificates !== undefined) {
      yield at({
        code: "tls",
        path: ["tls", "clientCertificates"],
        message: "client certificates cannot be asked for where leaves are minted",
        remedy: "remove one of the two",
      })
    }
  } else if (listener.protocol === "HTTPS") {
    yield at({
      code: "tls",
      path: ["tls"],
      message: "a listener for HTTPS needs a certificate",
      remedy: "add tls, or use protocol HTTP",
    })
  } else if (listener.protocol === "TLS" && bind.tunnel === "connect") {
    yield at({
      code: "tls",
      path: ["tls"],
      message: "TLS cannot pass through unread on a bind that is itself a tunnel",
      remedy: "terminate TLS here, or use another bind",
    })
  }
}

export function* backendTls(
  { spiffe, tls }: Extract<BackendPolicy, { readonly _tag: "BackendTls" }>,
  path: Path,
  at: At,
): Iterable<Issue> {
  yield* versions(tls, [...path, "tls"], at)
  const { identity, rootsPem, verify } = tls
  if (spiffe === true && (identity !== undefined || rootsPem !== undefined || verify !== "full")) {
    yield at({
      code: "tls",
      path: [...path, "spiffe"],
      message: "identity and roots come from the Workload API and cannot be given as well",
      remedy: "remove spiffe, or the certificate, the roots and the weaker checks",
    })
  }
}

function* versions(tls: Pick<ServerTls | ClientTls, "minVersion" | "maxVersion">, path: Path, at: At): Iterable<Issue> {
  if (tls.minVersion === "TLSv1.3" && tls.maxVersion === "TLSv1.2") {
    yield at({
      code: "tls",
      path: [...path, "minVersion"],
      message: "the lowest TLS version is above the highest",
      remedy: "exchange minVersion and maxVersion",
    })
  }
}
