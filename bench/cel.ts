/**
 * What evaluating an expression costs, in nanoseconds: the median of several rounds, beside a hand-written function that decides
 * the same from the same values. `node bench/cel.ts` tells all of them; a rule of four terms is a row of the table.
 */
import * as Result from "effect/Result"
import type { CelValue } from "../ir/cel/CelValue.ts"
import { type Activation, compile, type Program } from "../ir/cel/compile.ts"
import { environment } from "../ir/cel/Environment.ts"
import type { Context } from "../ir/cel/variables.ts"
import { HeaderView, QueryText, RecordView, RedactedText } from "../ir/cel/views.ts"
import type { Natives } from "../ir/cel/Natives.ts"
import { RE2JS } from "re2js"

const ROUNDS = 9
const ROUND_MILLIS = 60

/** No expression here asks for digests or chance. */
const unasked = (): never => {
  throw new Error("not asked for")
}
const natives: Natives = {
  compileRegex: (pattern) => {
    const program = RE2JS.compile(pattern)
    return { textLengthMax: 65_536, test: (text) => program.test(text), exec: unasked }
  },
  random: unasked,
  uuid: unasked,
  sha1: unasked,
  sha256: unasked,
  md5: unasked,
}

class Exchange implements Activation {
  readonly method: string = "GET"
  readonly path = "/api/v1/items/42"
  readonly claims = { role: "admin", scopes: ["read", "write"], sub: "user-1" }
  readonly flat = [
    "host",
    "example.com",
    "x-session",
    "s-1",
    "x-forwarded-for",
    "10.1.2.3, 10.9.9.9",
    "user-agent",
    "curl/8",
  ]
  readonly request = new RecordView(["method", "path", "headers", "uri", "body"], (field) => this.read(field))
  readonly source = new RecordView(["address", "port"], (field) =>
    field === "address" ? "10.8.3.4" : field === "port" ? 50_000 : undefined,
  )
  readonly jwt = new RecordView(["rawToken", ...Object.keys(this.claims)], (field) =>
    field === "rawToken" ? new RedactedText("a.b.c") : (this.claims as Readonly<Record<string, CelValue>>)[field],
  )
  readonly body = new TextEncoder().encode(
    JSON.stringify({ model: "small-1", messages: [{ role: "user", content: "hi" }] }),
  )

  read(field: string): CelValue | undefined {
    switch (field) {
      case "method":
        return this.method
      case "path":
        return this.path
      case "headers":
        return new HeaderView(this.flat)
      case "uri":
        return new QueryText(`http://example.com${this.path}?a=1&b=2`)
      case "body":
        return this.body
      default:
        return undefined
    }
  }

  get(name: string): CelValue | undefined {
    switch (name) {
      case "request":
        return this.request
      case "jwt":
        return this.jwt
      case "source":
        return this.source
      default:
        return undefined
    }
  }
}

const exchange = new Exchange()

const byHand: Readonly<Record<string, () => unknown>> = {
  "four terms": () =>
    exchange.method !== "DELETE" || (exchange.claims.role === "admin" && exchange.path.startsWith("/api")),
  "four terms, all evaluated": () =>
    exchange.method === "DELETE" || (exchange.claims.role === "admin" && exchange.path.startsWith("/api")),
}

const cases: ReadonlyArray<readonly [name: string, source: string, context: Context]> = [
  ["one term", 'request.method == "GET"', "route"],
  [
    "four terms",
    'request.method != "DELETE" || (has(jwt.role) && jwt.role == "admin") && request.path.startsWith("/api")',
    "route",
  ],
  [
    "four terms, all evaluated",
    'request.method == "DELETE" || (has(jwt.role) && jwt.role == "admin") && request.path.startsWith("/api")',
    "route",
  ],
  ["membership", 'request.method in ["GET", "HEAD", "OPTIONS"] && "write" in jwt.scopes', "route"],
  ["header", 'request.headers["x-session"] == "s-1"', "route"],
  ["address range", 'cidr("10.8.0.0/16").containsIP(source.address)', "route"],
  ["pattern", 'request.path.matches("^/api/v[0-9]+/")', "route"],
  ["loop of two", 'jwt.scopes.exists(s, s == "write")', "route"],
  ["fallback", 'default(jwt.tier, "free")', "route"],
  ["arithmetic", "source.port * 2 + 1 > 10", "route"],
  ["body as JSON", 'json(request.body).model.startsWith("small-")', "route"],
  ["concatenation", '"user:" + jwt.sub + ":" + request.path', "route"],
]

const compiled = (source: string, context: Context): Program => {
  const result = compile(source, { environment: environment(context), natives })
  if (Result.isFailure(result)) throw new Error(JSON.stringify(result.failure))
  return result.success
}

const nanosEach = (call: () => unknown): number => {
  let count = 0
  const start = process.hrtime.bigint()
  const end = start + BigInt(ROUND_MILLIS) * 1_000_000n
  let now = start
  while (now < end) {
    for (let i = 0; i < 1000; i++) call()
    count += 1000
    now = process.hrtime.bigint()
  }
  return Number(now - start) / count
}

/** Of several rounds, so many nanoseconds each. */
const rounds = (call: () => unknown, count = ROUNDS): ReadonlyArray<number> =>
  Array.from({ length: count }, () => nanosEach(call)).toSorted((a, b) => a - b)

const median = (call: () => unknown): number => rounds(call)[Math.floor(ROUNDS / 2)] ?? 0

const FOUR_TERMS = "four terms, all evaluated"

/** The rule that a bar is about, and a function that decides the same. */
export const fourTerms = (
  count: number,
): { readonly ours: ReadonlyArray<number>; readonly byHand: ReadonlyArray<number> } => {
  const [, source, context] = cases.find(([name]) => name === FOUR_TERMS) ?? ["", "true", "route" as const]
  const program = compiled(source, context)
  const hand = byHand[FOUR_TERMS]
  if (hand === undefined || program.evaluate(exchange) !== true || hand() !== true) throw new Error("it does not hold")
  return { ours: rounds(() => program.evaluate(exchange), count), byHand: rounds(hand, count) }
}

const out = (line: string) => process.stdout.write(`${line}\n`)

const tell = (): void => {
  for (const [name, source, context] of cases) {
    const program = compiled(source, context)
    const hand = byHand[name]
    const floor = hand === undefined ? "" : `   by hand ${median(hand).toFixed(0)}`
    out(
      `${median(() => program.evaluate(exchange))
        .toFixed(0)
        .padStart(6)} ns  ${name}${floor}`,
    )
  }
  const [, , [, source, context] = ["", "true", "route" as const]] = cases
  out(
    `${(median(() => compiled(source, context)) / 1000).toFixed(1).padStart(6)} µs  to parse, check and compile the four terms`,
  )
}

if (import.meta.main) tell()
