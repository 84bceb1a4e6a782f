/** What expressions need beyond the language: regular expressions in linear time, digests, chance. */
import * as Result from "effect/Result"
import { createHash, randomUUID } from "node:crypto"
import type { Natives, Regex } from "../../ir/cel/Natives.ts"
import { compileProgram, textBound } from "../../stages/4-route/Regex.ts"
import { provideRe2 } from "./re2.ts"
import type { Clock } from "../../stages/ports/Timer.ts"

provideRe2()

const compileRegex = (pattern: string): Regex | string => {
  const compiled = compileProgram(pattern)
  if (Result.isFailure(compiled)) return compiled.failure
  const program = compiled.success
  const names = Object.keys(program.namedGroups())
  return {
    textLengthMax: textBound(program.programSize()),
    test: (text) => program.test(text),
    exec: (text, from) => {
      const matcher = program.matcher(text)
      if (!matcher.find(from)) return undefined
      const groups = Array.from({ length: program.groupCount() + 1 }, (_, i) => matcher.group(i) ?? undefined)
      const named =
        names.length === 0
          ? undefined
          : Object.fromEntries(names.map((name) => [name, matcher.group(name) ?? undefined]))
      return { index: matcher.start(), end: matcher.end(), groups, named }
    },
  }
}

const digest =
  (name: string) =>
  (bytes: Uint8Array): Uint8Array =>
    new Uint8Array(createHash(name).update(bytes).digest())

const digests = { sha1: digest("sha1"), sha256: digest("sha256"), md5: digest("md5") }

export const natives = ({ random }: Pick<Clock, "random">): Natives => ({
  compileRegex,
  random,
  uuid: randomUUID,
  ...digests,
})

const hexOf = (random: () => number, digits: number): string => {
  let text = ""
  while (text.length < digits) text += Math.floor(random() * 16).toString(16)
  return text
}

/** All chance comes from one source, so that a seed decides it; never for a gateway that serves the outside. */
export const seededNatives = ({ random }: Pick<Clock, "random">): Natives => ({
  ...natives({ random }),
  uuid: () => {
    const variant = "89ab"[Math.floor(random() * 4)] ?? "8"
    return [
      hexOf(random, 8),
      hexOf(random, 4),
      `4${hexOf(random, 3)}`,
      variant + hexOf(random, 3),
      hexOf(random, 12),
    ].join("-")
  },
})
