import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Regex from "../../../stages/4-route/Regex.ts"
import { wholly } from "../../oracle/route.ts"
import { oneOf, someOf } from "./requests.ts"

const compiled = (pattern: string): Regex.Regex => Result.getOrThrow(Regex.compile(pattern))

/** What both dialects read alike: no flags, no look-around, no class that one of them lacks. */
const atom = oneOf(
  "a",
  "b",
  "/",
  "-",
  "\\.",
  "\\/",
  "\\|",
  ".",
  "[ab]",
  "[^a]",
  "[(|]",
  "[)a]",
  "[\\]|]",
  "\\d",
  "\\w",
  "1",
  "^",
  "é",
)
const quantifier = oneOf("", "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "*?", "+?", "??")
const piece = Arbitrary.all([atom, quantifier]).pipe(
  Arbitrary.map(([atom, quantifier]) => (atom === "^" ? atom : atom + quantifier)),
)
const sequence = Arbitrary.array(piece, { maxLength: 5 }).pipe(Arbitrary.map((pieces) => pieces.join("")))
const group = Arbitrary.all([oneOf("", "", "(", "(?:"), someOf(sequence, 3), quantifier]).pipe(
  Arbitrary.map(([open, ways, quantifier]) => {
    if (open === "") return ways[0] ?? ""
    return `${open}${ways.join("|")})${quantifier}`
  }),
)
const pattern = Arbitrary.all([someOf(group, 4), oneOf("", "", "|a", "|", "$")]).pipe(
  Arbitrary.map(([groups, end]) => groups.join("") + end),
)
const texts = Arbitrary.array(
  someOf(oneOf("a", "b", "/", "-", ".", "|", "(", ")", "]", "1", "é", "\n"), 8).pipe(
    Arbitrary.map((units) => units.join("")),
  ),
  { minLength: 1, maxLength: 10 },
)

it.prop(
  "an expression matches what the native one matches from end to end",
  { pattern, texts },
  ({ pattern, texts }) => {
    const regex = compiled(pattern)
    for (const text of texts)
      assert.strictEqual(regex.test(text), wholly(pattern, text), JSON.stringify([pattern, text]))
  },
  { arbitrary: { runs: 4000, size: 30 } },
)

it.prop(
  "plain text that a pattern begins with is known, and never more than that",
  { plain: oneOf("/a", "/a-b", "a/b", "/api/v"), pattern },
  ({ plain, pattern }) => {
    const prefix = Regex.literalPrefix(plain + pattern)
    const isWhole = /^[*?{]/.test(pattern) || prefix === "" || prefix.startsWith(plain)
    assert.isTrue(isWhole)
    if (!pattern.includes("|") && !/^[*?{]/.test(pattern)) assert.isTrue(prefix.startsWith(plain))
  },
  { arbitrary: { runs: 500, size: 30 } },
)

it.prop(
  "compiling answers, whatever the text",
  { pattern: Schema.String, text: Schema.String },
  ({ pattern, text }) => {
    const result = Regex.compile(pattern)
    if (Result.isSuccess(result)) assert.isBoolean(result.success.test(text))
    else assert.isNotEmpty(result.failure)
  },
)

/** What a backtracking engine needs exponential time for, and, last, what makes an automaton large. */
const hungry = [
  "(a+)+",
  "(a|a)*",
  "(a*)*b",
  "(a|aa)+$",
  "(b+b+)+c",
  "(.*a){20}",
  "([a-z]+)*!?/",
  "a*a*a*a*a*c",
  "(?:a?){50}a{50}",
  "(a|b)*a(a|b){60}",
]

for (const pattern of hungry)
  it(`${pattern} takes time in proportion to the text`, () => {
    const regex = compiled(pattern)
    const length = Math.min(50_000, regex.textLengthMax)
    const longer = texting(pattern, length)
    const shorter = texting(pattern, length >> 3)
    assert.strictEqual(regex.test(longer), false)
    // Eight times the text; a quadratic engine needs sixty-four times as long, an exponential one never ends.
    assert.isBelow(quickest(pattern, longer) / quickest(pattern, shorter), 32)
  })

/** Letters that the pattern repeats, and one at the end that it cannot take. */
const texting = (pattern: string, length: number): string => {
  const letters = pattern.includes("|b)") ? "ab" : pattern.includes("b+") ? "b" : "a"
  let text = ""
  let state = 1
  while (text.length < length - 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    text += letters[(state >> 16) % letters.length]
  }
  return `${text}!`
}

/** The best of several runs, each by a fresh expression that has learnt nothing: what else runs here only ever adds. */
const quickest = (pattern: string, text: string): number => {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 8; i++) {
    const regex = compiled(pattern)
    const start = performance.now()
    regex.test(text)
    best = Math.min(best, performance.now() - start)
  }
  return best
}
