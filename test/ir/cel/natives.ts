/** What expressions ask of a host, for tests: a linear-time regular expression engine, digests, and predictable chance. */
import { createHash } from "node:crypto"
import { RE2JS } from "re2js"
import type { Natives, Regex } from "../../../ir/cel/Natives.ts"

const compileRegex = (pattern: string): Regex | string => {
  try {
    const program = RE2JS.compile(pattern)
    const groupNames = Object.keys(program.namedGroups())
    return {
      textLengthMax: 65_536,
      test: (text) => program.test(text),
      exec: (text, from) => {
        const matcher = program.matcher(text)
        if (!matcher.find(from)) return undefined
        const groups = Array.from({ length: program.groupCount() + 1 }, (_, i) => matcher.group(i) ?? undefined)
        const named = Object.fromEntries(groupNames.map((name) => [name, matcher.group(name) ?? undefined]))
        return { index: matcher.start(), end: matcher.end(), groups, named }
      },
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const digest = (name: string) => (bytes: Uint8Array) => new Uint8Array(createHash(name).update(bytes).digest())

export const natives: Natives = {
  compileRegex,
  random: () => 0.25,
  uuid: () => "123e4567-e89b-42d3-a456-426614174000",
  sha1: digest("sha1"),
  sha256: digest("sha256"),
  md5: digest("md5"),
}
