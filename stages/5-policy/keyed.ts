/** Whose limit it is: the value of a key, and what stands for it in every thread and after every change. */
import type { CelValue } from "../../ir/cel/CelValue.ts"
import { toJsonText } from "../../ir/cel/toJson.ts"
import type { Subject } from "../Exchange.ts"
import type { Cryptography } from "../ports/Cryptography.ts"
import type { Expression } from "./expression/Expressions.ts"
import { Facts, type Surroundings } from "./expression/Facts.ts"

/** Everybody for whom no key can be computed is one. */
const keyless = "without a key"

/** Longer keys are known by their digest. */
export const KEY_CHARS_MAX = 128

export const keyValue = (
  key: Expression | undefined,
  around: Surroundings,
  subject: Subject,
  { sha256 }: Cryptography,
): string => {
  const written = key?.as<string>(Facts.of(around, subject), toJsonText) ?? keyless
  return shortened(written, sha256)
}

const shortened = (written: string, sha256: Cryptography["sha256"]): string =>
  written.length > KEY_CHARS_MAX ? sha256(written) : written

/** What is kept for each value of a key, found by a text as it is where the value is one: that is the common case. */
export class Keyed<A> {
  private readonly key: Expression
  private readonly around: Surroundings
  private readonly sha256: Cryptography["sha256"]
  private readonly sizeMax: number
  private readonly texts = new Map<string, A>()
  private readonly others = new Map<string, A>()

  constructor(key: Expression, around: Surroundings, { sha256 }: Cryptography, sizeMax: number) {
    this.key = key
    this.around = around
    this.sha256 = sha256
    this.sizeMax = sizeMax
  }

  /** `make` is told what stands for the value everywhere, as `keyValue` writes it. */
  get(subject: Subject, make: (written: string) => A): A {
    const value = this.key.as<CelValue>(Facts.of(this.around, subject), (one) => one)
    const isText = typeof value === "string" && value.length <= KEY_CHARS_MAX
    const kept = isText ? this.texts : this.others
    const name = isText ? value : shortened(value === undefined ? keyless : toJsonText(value), this.sha256)
    let found = kept.get(name)
    if (found === undefined) {
      found = make(isText ? shortened(toJsonText(value), this.sha256) : name)
      if (kept.size >= this.sizeMax) kept.clear()
      kept.set(name, found)
    }
    return found
  }
}

export const identityOf = ({ sha256 }: Cryptography, ...parts: ReadonlyArray<unknown>): bigint =>
  BigInt(`0x${sha256(JSON.stringify(parts)).slice(0, 16)}`)

let namelessCount = 0

/** What is counted under the name of its policy; one without a name shares with no other. */
export const ownerOf = (id: string | undefined): string => id ?? `nameless ${++namelessCount}`
