/**
 * Who may use the admin interface. A page in a browser on the same machine can send requests to loopback, under any name
 * it makes resolve there; so names and origins are checked. Beyond loopback only a token tells friend from foe.
 */
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import { isLoopback } from "../../protocols/http/authority.ts"
import type * as Address from "../config/Address.ts"
import { type Answer, type Asked, text } from "./serve.ts"

export const tokenVariable = "SLUICE_ADMIN_TOKEN"

/** Whether only this machine can reach the address. */
const isLocal = (address: Address.Address): boolean =>
  address._tag !== "Ip" || isLoopback(address.host) || address.host.toLowerCase() === "::ffff:127.0.0.1"

/** The name in a `Host` header, without its port; absent when it cannot be read. */
const nameOf = (host: string): string | undefined => {
  const url = `http://${host}`
  if (/[/?#@\\\s]/.test(host) || !URL.canParse(url)) return undefined
  return new URL(url).hostname.replace(/^\[|\]$/g, "")
}

const matches = (given: string, token: string): boolean => {
  const digest = (value: string): Uint8Array => createHash("sha256").update(value).digest()
  return timingSafeEqual(digest(given), digest(token))
}

export interface Guard {
  /** An answer to a request that must not be served; absent where it may. */
  readonly read: (asked: Asked) => Answer | undefined
  /** The same for one that changes something. */
  readonly change: (asked: Asked) => Answer | undefined
}

export const make = (address: Address.Address, token: Redacted.Redacted | undefined): Guard => {
  const local = isLocal(address)

  const read = ({ headers }: Asked): Answer | undefined => {
    // Browsers cannot reach a unix socket, and beyond loopback a gateway has names of its own.
    if (!local || address._tag === "Unix" || headers.host === undefined) return undefined
    const name = nameOf(headers.host)
    return name !== undefined && isLoopback(name)
      ? undefined
      : text(403, "forbidden: the admin interface answers only to localhost, 127.0.0.1 and [::1]\n")
  }

  const change = (asked: Asked): Answer | undefined => {
    const refused = read(asked)
    if (refused !== undefined) return refused
    const { authorization, host, origin, "sec-fetch-site": site } = asked.headers
    const isSame = origin === undefined || origin.toLowerCase() === `http://${(host ?? "").toLowerCase()}`
    if (!isSame || (site !== undefined && site !== "same-origin" && site !== "none")) {
      return text(403, "forbidden: a page of another origin may not use the admin interface\n")
    }
    if (token === undefined) {
      return local
        ? undefined
        : text(
            403,
            `forbidden: the admin interface listens beyond loopback, so nothing can be changed without a token.\nSet ${tokenVariable} in the gateway's environment and send \`Authorization: Bearer <token>\`, or set \`config.adminAddr\` to a loopback address.\n`,
          )
    }
    const given = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]
    return given !== undefined && matches(given, Redacted.value(token))
      ? undefined
      : text(401, `unauthorized: send \`Authorization: Bearer <token>\` with the value of ${tokenVariable}\n`, {
          "www-authenticate": 'Bearer realm="sluice admin"',
        })
  }

  return { read, change }
}
