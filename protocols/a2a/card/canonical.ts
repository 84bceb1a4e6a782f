/**
 * What is signed of a card: its JSON without signatures, in the order of RFC 8785. Writers differ in what they do with
 * fields that say nothing, so a reader has to try more than one form.
 */
import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf"
import { AgentCardSchema } from "../../grpc/generated/a2a_pb.ts"
import { type Fields, fieldsOf, isFields } from "../Fields.ts"
import { canonical as canonicalText } from "../../lock/canonical.ts"
import { isModern } from "./legacy.ts"

/** The JSON Canonicalization Scheme. */
export const jcs = (value: unknown): string => canonicalText(JSON.stringify(value ?? null)).text

const unsigned = (card: Fields): Fields => {
  const { signatures: _, ...rest } = card
  return rest
}

/** Only what 1.0 knows, since nothing else is signed; undefined: it is no card of 1.0. */
export const known = (card: Fields): Fields | undefined => {
  try {
    const message = fromJson(AgentCardSchema, card as JsonValue, { ignoreUnknownFields: true })
    return fieldsOf(toJson(AgentCardSchema, message))
  } catch {
    return undefined
  }
}

/** Without texts, lists and objects that say nothing, all the way down. */
const spoken = (value: unknown): unknown => {
  if (value === "" || value === null || value === undefined) return undefined
  if (Array.isArray(value)) {
    const kept = value.map(spoken).filter((one) => one !== undefined)
    return kept.length === 0 ? undefined : kept
  }
  if (!isFields(value)) return value
  const kept = Object.entries(value).flatMap(([name, one]) => {
    const said = spoken(one)
    return said === undefined ? [] : [[name, said] as const]
  })
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

/** A form a signature may have been made over, and what of the card it then covers. */
export interface Form {
  readonly text: string
  readonly covers: Fields
}

/** The form the public SDKs sign, and so do we; a card of 0.3 is signed as it is, since its fields are none of 1.0. */
export const canonical = (card: Fields): string =>
  isModern(card) ? jcs(spoken(unsigned(known(card) ?? card)) ?? {}) : jcs(unsigned(card))

/** What covers most comes last: it is the least usual. */
export const forms = (card: Fields): ReadonlyArray<Form> => {
  const modern = isModern(card) ? known(card) : undefined
  return [
    ...(modern === undefined
      ? []
      : [
          { text: canonical(card), covers: modern },
          { text: jcs(unsigned(modern)), covers: modern },
        ]),
    { text: jcs(unsigned(card)), covers: card },
  ]
}
