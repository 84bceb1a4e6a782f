/**
 * A card in the parts that are approved each for itself: every skill, and all the rest. Signatures differ whenever they
 * are made, so who signed stands in their place.
 */
import { fromBase64Url } from "../../base64url.ts"
import { type Fields, fieldsOf, isFields, listOf, parse, present, textOf } from "../Fields.ts"
import { fromLegacyCard, isModern, withoutTwins } from "./legacy.ts"

export interface Definitions {
  readonly card: string
  readonly skills: ReadonlyArray<string>
}

/** More than any honest rotation leaves on a card. */
const signersMax = 16

const signerIn = (value: unknown): Fields => {
  const header = fieldsOf(parse(fromBase64Url(textOf(fieldsOf(value)["protected"]) ?? "") ?? "")?.value)
  return present({ alg: textOf(header["alg"]), kid: textOf(header["kid"]), jku: textOf(header["jku"]) })
}

/** As 1.0 has it. What readers of 0.3 are told is made again from that, so that both are told the same. */
export const plainCard = (card: Fields): Fields => (isModern(card) ? withoutTwins(card) : fromLegacyCard(card))

/** Of a plain card; `signatures` are those it came with, whatever of it is believed. */
export const definitionsOf = (card: Fields, signatures: unknown): Definitions => {
  const { signatures: _, skills, ...rest } = card
  const signers = listOf(signatures).slice(0, signersMax).map(signerIn)
  return {
    card: JSON.stringify(signers.length === 0 ? rest : { ...rest, signers }),
    skills: listOf(skills).map((one) => JSON.stringify(one)),
  }
}

const read = (text: string): Fields => fieldsOf(parse(text)?.value)

/** The card that its parts say; no signature covers it any more. */
export const cardFrom = ({ card, skills }: Definitions): Fields => {
  const { signers: _, ...rest } = read(card)
  return { ...rest, skills: skills.map(read).filter(isFields) }
}
