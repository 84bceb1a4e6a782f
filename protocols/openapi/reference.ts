/** References inside a document. Those into other documents are not followed: whoever wrote one could lead us anywhere. */
import { isList, isMap, type Json, textAt } from "./json.ts"

/** Why something in a document cannot be used, in words. */
export class Unusable extends Error {}

const CHAIN_MAX = 64

/** The value at a JSON pointer in the form of a fragment. */
export const resolvePointer = (document: Json, reference: string): Json => {
  if (!reference.startsWith("#")) throw new Unusable(`it refers to another document, ${JSON.stringify(reference)}`)
  let pointer: string
  try {
    pointer = decodeURIComponent(reference.slice(1))
  } catch {
    throw new Unusable(`${JSON.stringify(reference)} is no reference`)
  }
  let here: Json | undefined = document
  for (const part of pointer === "" ? [] : pointer.slice(1).split("/")) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~")
    here = isList(here) ? here[Number(name)] : isMap(here) && Object.hasOwn(here, name) ? here[name] : undefined
  }
  if (here === undefined) throw new Unusable(`nothing is at ${reference}`)
  return here
}

/** What stands there, or what the reference that stands there leads to. */
export const dereferenced = (document: Json, value: Json | undefined): Json | undefined => {
  let here = value
  for (let i = 0; ; i++) {
    const reference = textAt(here, "$ref")
    if (reference === undefined) return here
    if (i >= CHAIN_MAX) throw new Unusable(`${reference} leads in a circle`)
    here = resolvePointer(document, reference)
  }
}
