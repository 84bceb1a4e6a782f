/** Agent cards of 0.3 in the JSON of their protobuf package: interfaces as 0.3 has them, security as 1.0 writes it. */
import { type Fields, fieldsOf, listOf, present } from "../Fields.ts"
import { fromLegacyCard, interfacesIn, isModern, toLegacyCard } from "./legacy.ts"

const skillIn = (value: unknown): Fields => {
  const { security, ...rest } = fieldsOf(value)
  return present({ ...rest, securityRequirements: security })
}

const skillOut = (value: unknown): Fields => {
  const { securityRequirements, ...rest } = fieldsOf(value)
  return present({ ...rest, security: securityRequirements })
}

/** Whether security is written as 1.0 does, which tells the package's JSON from that of JSON-RPC. */
const isProto = (card: Fields): boolean =>
  Object.values(fieldsOf(card["securitySchemes"])).every((scheme) => fieldsOf(scheme)["type"] === undefined)

export const fromLegacyProtoCard = (card: Fields): Fields => {
  if (isModern(card) || !isProto(card)) return fromLegacyCard(card)
  const { security, securitySchemes, skills, ...rest } = card
  return present({
    ...fromLegacyCard({ ...rest, supportedInterfaces: undefined }),
    supportedInterfaces: interfacesIn(card),
    securitySchemes,
    securityRequirements: security,
    skills: skills === undefined ? undefined : listOf(skills).map(skillIn),
  })
}

export const toLegacyProtoCard = (card: Fields): Fields => {
  const { securityRequirements, securitySchemes, skills } = card
  const { iconUrl: _, security: __, securitySchemes: ___, skills: ____, ...rest } = toLegacyCard(card)
  return present({
    ...rest,
    securitySchemes,
    security: securityRequirements,
    skills: skills === undefined ? undefined : listOf(skills).map(skillOut),
  })
}
