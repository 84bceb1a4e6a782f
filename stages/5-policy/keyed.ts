/** Whose limit it is: the value of a key, and what stands for it in every thread and after every change. */
import { toJsonText } from "../../ir/cel/toJson.ts"
import type { Subject } from "../Exchange.ts"
import type { Cryptography } from "../ports/Cryptography.ts"
import type { Expression } from "./expression/Expressions.ts"
import { Facts, type Surroundings } from "./expression/Facts.ts"

/** Everybody for whom no key can be computed is one. */
const keyless = "without a key"

/** Longer keys are known by their digest. */
const KEY_CHARS_MAX = 128

export const keyValue = (
  key: Expression | undefined,
  around: Surroundings,
  subject: Subject,
  { sha256 }: Cryptography,
): string => {
  const written = key?.as<string>(Facts.of(around, subject), toJsonText) ?? keyless
  return written.length > KEY_CHARS_MAX ? sha256(written) : written
}

export const identityOf = ({ sha256 }: Cryptography, ...parts: ReadonlyArray<unknown>): bigint =>
  BigInt(`0x${sha256(JSON.stringify(parts)).slice(0, 16)}`)

let namelessCount = 0

/** What is counted under the name of its policy; one without a name shares with no other. */
export const ownerOf = (id: string | undefined): string => id ?? `nameless ${++namelessCount}`
