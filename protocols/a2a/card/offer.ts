/** The card of an agent as the gateway offers it: every binding and version the gateway speaks, at the gateway. */
import { defaultPort, portOf } from "../../http/authority.ts"
import { type Fields, fieldsOf, present } from "../Fields.ts"
import type { Binding, Version } from "../operation.ts"
import { legacyFields } from "./legacy.ts"

export interface Offer {
  readonly scheme: string
  readonly authority: string
  /** The path under which the agent is found, without a slash at its end. */
  readonly base: string
  readonly bindings: ReadonlyArray<Binding>
  readonly versions: ReadonlyArray<Version>
}

/** gRPC takes no path; readers expect a host and a port. */
const urlOf = ({ authority, base, scheme }: Offer, binding: Binding): string =>
  binding === "GRPC"
    ? portOf(authority) === undefined
      ? `${authority}:${defaultPort(scheme) ?? 80}`
      : authority
    : `${scheme}://${authority}${base === "" ? "/" : base}`

/** Rebuilt rather than patched: what the agent says of its own addresses is of no use to a client. */
export const offered = (card: Fields, offer: Offer): Fields => {
  const { signatures: _, ...rest } = card
  return {
    ...rest,
    supportedInterfaces: offer.versions.flatMap((protocolVersion) =>
      offer.bindings.map((protocolBinding) => ({
        url: urlOf(offer, protocolBinding),
        protocolBinding,
        protocolVersion,
      })),
    ),
  }
}

/** Schemes as both versions write them, in one: each reader finds its own members. */
const bothSchemes = (modern: unknown, legacy: unknown): Fields =>
  Object.fromEntries(
    Object.entries(fieldsOf(modern)).map(([name, scheme]) => [
      name,
      { ...fieldsOf(fieldsOf(legacy)[name]), ...fieldsOf(scheme) },
    ]),
  )

/** One card for readers of both versions, who each look at fields of their own. */
export const hybrid = (card: Fields): Fields => {
  const legacy = legacyFields(card)
  if (legacy === undefined) return card
  const { securitySchemes, ...more } = legacy
  return present({
    ...card,
    ...more,
    securitySchemes:
      card["securitySchemes"] === undefined ? undefined : bothSchemes(card["securitySchemes"], securitySchemes),
  })
}
