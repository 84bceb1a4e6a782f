/** Agent cards of 0.3 as JSON, to and from those of 1.0. */
import { type Fields, fieldsOf, isFields, listOf, present, textOf } from "../Fields.ts"

/** What each 0.3 scheme is wrapped in, and back. */
const wrappers: Readonly<Record<string, string>> = {
  apiKey: "apiKeySecurityScheme",
  http: "httpAuthSecurityScheme",
  oauth2: "oauth2SecurityScheme",
  openIdConnect: "openIdConnectSecurityScheme",
  mutualTLS: "mtlsSecurityScheme",
}

/** Flows in the order in which they are kept when only one may be. */
const flowNames = ["authorizationCode", "clientCredentials", "deviceCode", "implicit", "password"] as const

/** One 0.3 scheme; of several OAuth flows each becomes a scheme of its own. */
const schemesIn = (name: string, value: unknown): ReadonlyArray<readonly [string, Fields]> => {
  const { type, ...rest } = fieldsOf(value)
  const wrapper = wrappers[textOf(type) ?? ""]
  if (wrapper === undefined) return [[name, fieldsOf(value)]]
  if (type === "apiKey") {
    const { in: location, ...more } = rest
    return [[name, { [wrapper]: { ...more, location } }]]
  }
  if (type !== "oauth2") return [[name, { [wrapper]: rest }]]
  const flows = fieldsOf(rest["flows"])
  const named = flowNames.filter((flow) => isFields(flows[flow]))
  return named.length <= 1
    ? [[name, { [wrapper]: rest }]]
    : named.map((flow, i) => [
        i === 0 ? name : `${name}-${i + 1}`,
        { [wrapper]: { ...rest, flows: { [flow]: flows[flow] } } },
      ])
}

const schemeOut = (value: unknown): Fields | undefined => {
  const scheme = fieldsOf(value)
  for (const [type, wrapper] of Object.entries(wrappers)) {
    if (!isFields(scheme[wrapper])) continue
    const inside = scheme[wrapper]
    if (type === "apiKey") {
      const { location, ...more } = inside
      return { type, ...more, in: location }
    }
    if (type !== "oauth2") return { type, ...inside }
    // 0.3 knows no device code.
    const { deviceCode: _, ...flows } = fieldsOf(inside["flows"])
    return Object.keys(flows).length === 0 ? undefined : { type, ...inside, flows }
  }
  return typeof scheme["type"] === "string" ? scheme : undefined
}

/** Every way to satisfy a requirement whose schemes were split: alternatives of all combinations, few as they are. */
const requirementsIn = (security: unknown, split: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<Fields> =>
  listOf(security).flatMap((one) => {
    let alternatives: ReadonlyArray<Fields> = [{}]
    for (const [name, scopes] of Object.entries(fieldsOf(one))) {
      alternatives = (split.get(name) ?? [name]).flatMap((each) =>
        alternatives.map((before) => ({ ...before, [each]: { list: listOf(scopes) } })),
      )
    }
    return alternatives.slice(0, 16).map((schemes) => ({ schemes }))
  })

const requirementsOut = (requirements: unknown): ReadonlyArray<Fields> =>
  listOf(requirements).map((one) =>
    Object.fromEntries(
      Object.entries(fieldsOf(fieldsOf(one)["schemes"])).map(([name, scopes]) => [
        name,
        listOf(fieldsOf(scopes)["list"]),
      ]),
    ),
  )

/** The interfaces of a 0.3 card in the order of preference, each once. */
export const interfacesIn = (card: Fields): ReadonlyArray<Fields> => {
  const version = textOf(card["protocolVersion"])?.split(".").slice(0, 2).join(".") ?? "0.3"
  const protocolVersion = version.startsWith("0.") ? version : "0.3"
  const preferred = {
    url: card["url"],
    protocolBinding: textOf(card["preferredTransport"]) ?? "JSONRPC",
    protocolVersion,
  }
  const others = listOf(card["additionalInterfaces"]).map((one) => {
    const { transport, ...rest } = fieldsOf(one)
    return { ...rest, protocolBinding: transport, protocolVersion }
  })
  const seen = new Set<string>()
  return [...(textOf(card["url"]) === undefined ? [] : [preferred]), ...others].filter((one) => {
    const key = `${String(one.protocolBinding)} ${String((one as Fields)["url"])}`
    return seen.has(key) ? false : seen.add(key) !== undefined
  })
}

/** What readers of 0.3 look at beside the members of 1.0. */
const twins = [
  "url",
  "preferredTransport",
  "additionalInterfaces",
  "protocolVersion",
  "supportsAuthenticatedExtendedCard",
  "security",
] as const

/** A card of 1.0 without what is in it for readers of 0.3 only; the card itself where there is nothing. */
export const withoutTwins = (card: Fields): Fields => {
  if (!twins.some((name) => name in card)) return card
  const rest: Record<string, unknown> = { ...card }
  for (const name of twins) delete rest[name]
  return rest
}

const withoutLegacy = (card: Fields): Fields => {
  const { securitySchemes: _, ...rest } = withoutTwins(card)
  return rest
}

/** A card that has interfaces of 1.0 is one of 1.0, whatever else stands beside them for older readers. */
export const isModern = (card: Fields): boolean => Array.isArray(card["supportedInterfaces"])

export const fromLegacyCard = (card: Fields): Fields => {
  if (isModern(card)) return card
  const split = new Map<string, ReadonlyArray<string>>()
  const schemes = Object.entries(fieldsOf(card["securitySchemes"])).flatMap(([name, value]) => {
    const made = schemesIn(name, value)
    split.set(
      name,
      made.map(([each]) => each),
    )
    return made
  })
  const { stateTransitionHistory: _, ...capabilities } = fieldsOf(card["capabilities"])
  const extended = card["supportsAuthenticatedExtendedCard"]
  return present({
    ...withoutLegacy(card),
    supportedInterfaces: interfacesIn(card),
    capabilities: present({ ...capabilities, extendedAgentCard: extended === true ? true : undefined }),
    securitySchemes: schemes.length === 0 ? undefined : Object.fromEntries(schemes),
    securityRequirements: card["security"] === undefined ? undefined : requirementsIn(card["security"], split),
    skills: card["skills"] === undefined ? undefined : listOf(card["skills"]).map((skill) => skillIn(skill, split)),
  })
}

const skillIn = (value: unknown, split: ReadonlyMap<string, ReadonlyArray<string>>): Fields => {
  const { security, ...rest } = fieldsOf(value)
  return security === undefined ? rest : { ...rest, securityRequirements: requirementsIn(security, split) }
}

const skillOut = (value: unknown): Fields => {
  const { securityRequirements, ...rest } = fieldsOf(value)
  return securityRequirements === undefined ? rest : { ...rest, security: requirementsOut(securityRequirements) }
}

const isLegacyInterface = (one: Fields): boolean => textOf(one["protocolVersion"])?.startsWith("0.") ?? true

/** The part of a card that only readers of 0.3 look at; undefined where there is no interface for them. */
export const legacyFields = (card: Fields): Fields | undefined => {
  const interfaces = listOf(card["supportedInterfaces"]).filter(isFields)
  const usable = interfaces.filter(isLegacyInterface)
  const [first] = usable
  if (first === undefined) return undefined
  const schemes = Object.entries(fieldsOf(card["securitySchemes"])).flatMap(([name, value]) => {
    const made = schemeOut(value)
    return made === undefined ? [] : [[name, made] as const]
  })
  return present({
    protocolVersion: "0.3.0",
    url: first["url"],
    preferredTransport: first["protocolBinding"],
    additionalInterfaces: usable.map((one) => ({ url: one["url"], transport: one["protocolBinding"] })),
    supportsAuthenticatedExtendedCard: fieldsOf(card["capabilities"])["extendedAgentCard"] === true ? true : undefined,
    securitySchemes: schemes.length === 0 ? undefined : Object.fromEntries(schemes),
    security: card["securityRequirements"] === undefined ? undefined : requirementsOut(card["securityRequirements"]),
  })
}

export const toLegacyCard = (card: Fields): Fields => {
  if (!isModern(card)) return card
  const { securityRequirements: _, securitySchemes: __, skills, supportedInterfaces: ___, ...rest } = card
  const { extendedAgentCard: ____, ...capabilities } = fieldsOf(card["capabilities"])
  // A reader is better served by an interface of another version than by a card without any.
  const legacy = legacyFields(card) ?? legacyFields(changedInterfaces(card))
  return present({
    ...rest,
    capabilities,
    skills: skills === undefined ? undefined : listOf(skills).map(skillOut),
    ...legacy,
  })
}

const changedInterfaces = (card: Fields): Fields => ({
  ...card,
  supportedInterfaces: listOf(card["supportedInterfaces"]).map((one) => ({ ...fieldsOf(one), protocolVersion: "0.3" })),
})
