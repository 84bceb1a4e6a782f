/** Guards that need nobody: patterns, recognisers and words. */
import * as Result from "effect/Result"
import type { RE2JS } from "re2js"
import type { GuardKind, GuardRule } from "../../../../ir/policy/PromptGuard.ts"
import type { Span } from "../../../../protocols/llm/guard/MaskedText.ts"
import { MaskedText } from "../../../../protocols/llm/guard/MaskedText.ts"
import { suspect } from "../../../../protocols/llm/guard/injection.ts"
import { keywords, recognise } from "../../../../protocols/llm/guard/recognise.ts"
import { compileProgram, textBound } from "../../../4-route/Regex.ts"
import type { LocalGuard } from "./Guard.ts"

interface Finder {
  readonly find: (text: string) => ReadonlyArray<Span>
  readonly textLengthMax: number
}

/** A look at this much takes a few milliseconds at most. */
const LOOK_CHARS_MAX = 32_768

const spansOf = (program: RE2JS, text: string, mask: string): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  const matcher = program.matcher(text)
  while (matcher.find()) {
    const start = matcher.start()
    const end = matcher.end()
    // What matches nothing has nothing to hide.
    if (end > start) spans.push({ start, end, text: mask })
  }
  return spans
}

const ruleFinder = (rule: GuardRule): Finder => {
  if (rule._tag === "Builtin") return { find: (text) => recognise(rule.entity, text), textLengthMax: LOOK_CHARS_MAX }
  const mask = `<${rule.name ?? "masked"}>`
  const compiled = compileProgram(rule.pattern)
  // Refused when the configuration was read; what came another way guards by letting nothing pass.
  if (Result.isFailure(compiled))
    return {
      find: (text) => [{ start: 0, end: text.length, text: mask }],
      textLengthMax: LOOK_CHARS_MAX,
    }
  const program = compiled.success
  return {
    find: (text) => spansOf(program, text, mask),
    textLengthMax: Math.max(1024, Math.min(LOOK_CHARS_MAX, Math.floor(textBound(program.programSize()) / 4))),
  }
}

/** One rule after the other, each over what those before it left. */
const inTurn = (finders: ReadonlyArray<Finder>): Finder => ({
  textLengthMax: Math.min(LOOK_CHARS_MAX, ...finders.map((finder) => finder.textLengthMax)),
  find: (text) => {
    const [only, ...others] = finders
    if (only === undefined) return []
    if (others.length === 0) return only.find(text)
    const masked = new MaskedText(text)
    for (const { find } of finders) masked.replace(find(masked.text))
    return masked.replacements
  },
})

/** Guards that need nobody. */
export type LocalKind = Extract<GuardKind, { readonly _tag: "Regex" | "Keywords" | "PromptInjection" }>

const nothing: ReadonlyArray<Span> = []

const finderOf = (kind: LocalKind): Finder => {
  switch (kind._tag) {
    case "Regex":
      return inTurn(kind.rules.map(ruleFinder))
    case "Keywords":
      return { find: keywords(kind.words), textLengthMax: LOOK_CHARS_MAX }
    case "PromptInjection":
      return {
        find: (text) => {
          const { score, spans } = suspect(text)
          return score < kind.threshold ? nothing : spans
        },
        textLengthMax: LOOK_CHARS_MAX,
      }
  }
}

export const isLocal = (kind: GuardKind): kind is LocalKind =>
  kind._tag === "Regex" || kind._tag === "Keywords" || kind._tag === "PromptInjection"

export const local = (kind: LocalKind): LocalGuard => ({ _tag: "Local", action: kind.action, ...finderOf(kind) })
