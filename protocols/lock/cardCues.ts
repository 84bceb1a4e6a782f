/**
 * What an agent is, as its card has it: where it is reached, who provides and signs it, what whoever asks must come with.
 * Each is compared whole, and what is absent is said as well, so that taking something away is seen like adding it.
 */
import { isObject, type JsonObject } from "../json/object.ts"
import { canonical } from "./canonical.ts"
import type { Cues } from "./Cues.ts"

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const written = (value: unknown): string => canonical(JSON.stringify(value)).text

const each = (value: unknown, says: string, none: string, cues: Cues): void => {
  const all = listOf(value)
  for (const one of all) cues.add("identity", `${says} ${written(one)}`)
  if (all.length === 0) cues.add("identity", none)
}

/** Members of a card that are looked at here. */
export const identityMembers = [
  "supportedInterfaces",
  "provider",
  "securitySchemes",
  "securityRequirements",
  "signers",
] as const

export const cardCues = (card: JsonObject, cues: Cues): void => {
  each(card["supportedInterfaces"], "it is reached by", "it is reached nowhere", cues)
  each(card["signers"], "it is signed by", "nobody signs it", cues)
  each(card["securityRequirements"], "whoever asks comes with", "anybody may ask", cues)
  const { provider, securitySchemes } = card
  cues.add("identity", provider === undefined ? "nobody provides it" : `it is provided by ${written(provider)}`)
  for (const [name, scheme] of Object.entries(isObject(securitySchemes) ? securitySchemes : {}))
    cues.add("identity", `the scheme ${name} is ${written(scheme)}`)
}

/** A skill may ask for more than its agent does. */
export const skillCues = (skill: JsonObject, cues: Cues): void =>
  each(skill["securityRequirements"], "whoever uses it comes with", "it asks for nothing of its own", cues)
