import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { parse, stringify } from "yaml"
import { validate } from "../../ir/validate.ts"
import type { ConfigIssue } from "../../src/config/ConfigIssue.ts"
import { type Loaded, load } from "../../src/config/local/load.ts"

const io = { readFile: () => Effect.fail("there is no such file") }

type Outcome = { readonly loaded: Loaded } | { readonly issues: ReadonlyArray<ConfigIssue> }

const run = (text: string): Promise<Outcome> =>
  Effect.runPromise(
    Effect.match(load(text, { file: "f", env: { SET: "value" }, io, cpus: 2 }), {
      onFailure: (issues): Outcome => ({ issues }),
      onSuccess: (loaded): Outcome => ({ loaded }),
    }),
  )

/** Whatever is said points into the text, and something is said whenever nothing is loaded. */
const sensible = (text: string, outcome: Outcome): void => {
  const issues = "issues" in outcome ? outcome.issues : outcome.loaded.warnings
  const lines = text.split("\n")
  for (const { column, line, message } of issues) {
    expect(message).not.toBe("")
    expect(line).toBeGreaterThanOrEqual(1)
    expect(line).toBeLessThanOrEqual(lines.length)
    expect(column).toBeGreaterThanOrEqual(1)
    expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1)
  }
  if ("issues" in outcome) expect(issues.some((issue) => issue.severity === "error")).toBe(true)
  else expect(validate(outcome.loaded.snapshot).filter((issue) => issue.severity === "error")).toEqual([])
}

const golden = readdirSync("test/golden/local")
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(`test/golden/local/${name}`, "utf8"))

const words = fc.constantFrom(
  ...new Set(golden.flatMap((text) => text.match(/[A-Za-z]{2,}/g) ?? [])),
  "__proto__",
  "constructor",
  "conditional",
  "expression",
  "<<",
)

/** Values that look like configuration from a distance. */
const { value: lookalike } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.oneof(
      words,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom("1s", "a:1", "/x", "*", "$SET", "${GONE}", "http"),
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(words, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
}))

describe("loading", () => {
  it("is total over text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 200 }), async (text) =>
        sensible(text, await run(text)),
      ),
      { numRuns: 500 },
    )
  })

  it("is total over files with a piece missing, doubled or replaced", async () => {
    const piece = fc.record({
      text: fc.constantFrom(...golden),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.integer({ min: 0, max: 30 }),
      instead: fc.oneof(
        fc.constant(""),
        words,
        fc.string({ maxLength: 8 }),
        fc.constantFrom("{", "]", ": ", "\n- ", "&a ", "*a", "|", "$X", "\t"),
      ),
    })
    await fc.assert(
      fc.asyncProperty(piece, async ({ at, instead, length, text }) => {
        const start = Math.floor(at * text.length)
        const broken = text.slice(0, start) + instead + text.slice(start + length)
        sensible(broken, await run(broken))
      }),
      { numRuns: 500 },
    )
  })

  it("is total over values of the wrong shape", async () => {
    const sections = [...new Set(golden.flatMap((text) => Object.keys(Object(parse(text, { merge: true })))))]
    const document = fc.dictionary(fc.constantFrom(...sections, "llm", "mcp", "ui"), lookalike, { maxKeys: 4 })
    await fc.assert(
      fc.asyncProperty(document, async (value) => {
        const text = JSON.stringify(value)
        sensible(text, await run(text))
      }),
      { numRuns: 1000 },
    )
  })
})

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/)
const port = fc.integer({ min: 1, max: 65_535 })
const duration = fc.integer({ min: 0, max: 100_000 }).map((n) => `${n}ms`)
const host = fc.tuple(name, port).map(([label, number]) => `${label}:${number}`)
const headers = fc.dictionary(
  fc.stringMatching(/^x-[a-z]{1,5}$/),
  fc.string({ maxLength: 5 }).filter((s) => !/[\0\r\n$]/.test(s)),
  { maxKeys: 2 },
)

const routePolicies = fc.record(
  {
    timeout: fc.record(
      { requestTimeout: duration, backendRequestTimeout: duration, idleTimeout: duration },
      { requiredKeys: [] },
    ),
    retry: fc.record({ attempts: fc.nat(5), codes: fc.array(fc.integer({ min: 400, max: 599 }), { maxLength: 3 }) }),
    cors: fc.record({
      allowOrigins: fc.constantFrom(["*"], ["https://a.example.com"]),
      allowCredentials: fc.boolean(),
    }),
    requestHeaderModifier: fc.record({ set: headers, add: headers }),
    responseHeaderModifier: fc.record({ set: headers }),
    buffer: fc.record({ request: fc.record({ maxBytes: fc.nat() }) }),
    delay: fc.record({ duration }),
    requestMirror: fc.record({ backend: fc.record({ host }), percentage: fc.double({ min: 0, max: 1, noNaN: true }) }),
    http: fc.record({ version: fc.constantFrom("HTTP/1.1", "http/2.0") }),
  },
  { requiredKeys: [] },
)

/** Files without a mistake: names are unique, references lead somewhere, no two routes match the same. */
const file = fc
  .record({
    gateways: fc.uniqueArray(fc.record({ name, port, a2a: fc.boolean() }), {
      minLength: 1,
      maxLength: 4,
      comparator: (a, b) => a.name === b.name || a.port === b.port,
    }),
    backends: fc.uniqueArray(fc.record({ name, host }), { maxLength: 3, selector: (one) => one.name }),
    routes: fc.uniqueArray(
      fc.record({
        name,
        on: fc.nat(),
        policies: routePolicies,
        hosts: fc.array(host, { maxLength: 2 }),
        named: fc.option(fc.nat()),
        weight: fc.nat(10),
      }),
      { maxLength: 6, selector: (one) => one.name },
    ),
  })
  .map(({ backends, gateways, routes }) => ({
    gateways: Object.fromEntries(
      gateways.map((one) => [one.name, { port: one.port, protocol: one.a2a ? "a2a" : "Http" }]),
    ),
    backends: backends.map((one) => ({ name: one.name, host: one.host })),
    routes: routes.map((one) => ({
      name: one.name,
      gateways: gateways[one.on % gateways.length]?.name ?? "",
      matches: [{ path: { pathPrefix: `/${one.name}` } }],
      policies: one.policies,
      backends: [
        { host: "always:1" },
        ...one.hosts.map((each) => ({ host: each, weight: one.weight })),
        ...(one.named === null || backends.length === 0
          ? []
          : [{ backend: `/${backends[one.named % backends.length]?.name}` }]),
      ],
    })),
  }))

describe("a file without a mistake", () => {
  it("loads, as YAML and as JSON, into one and the same valid snapshot", async () => {
    await fc.assert(
      fc.asyncProperty(file, async (value) => {
        const [yaml, json] = await Promise.all([run(stringify(value)), run(JSON.stringify(value))])
        if ("issues" in yaml) throw new Error(JSON.stringify(yaml.issues))
        if ("issues" in json) throw new Error(JSON.stringify(json.issues))
        expect(yaml.loaded.snapshot).toEqual(json.loaded.snapshot)
        expect(validate(yaml.loaded.snapshot).filter((issue) => issue.severity === "error")).toEqual([])
        expect(yaml.loaded.snapshot.routes.size).toBe(value.routes.length)
      }),
      { numRuns: 150 },
    )
  })

  it("is the same file in another order of its keys", async () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toReversed()
                .map(([key, one]) => [key, reversed(one)]),
            )
          : value
    await fc.assert(
      fc.asyncProperty(file, async (value) => {
        const [one, other] = await Promise.all([run(JSON.stringify(value)), run(JSON.stringify(reversed(value)))])
        if ("issues" in one || "issues" in other) throw new Error("refused")
        for (const table of ["routes", "listeners", "binds", "backends"] as const) {
          const sorted = (loaded: Loaded) => JSON.stringify([...loaded.snapshot[table].keys()].toSorted())
          expect(sorted(one.loaded)).toBe(sorted(other.loaded))
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe("several mistakes", () => {
  const mistakes: ReadonlyArray<readonly [route: Record<string, unknown>, said: RegExp]> = [
    [{ nmae: "x" }, /unknown field `nmae`/],
    [{ policies: { timeout: { requestTimeout: "5" } } }, /has no unit/],
    [{ backends: [{ host: "nowhere" }] }, /invalid host:port/],
    [{ backends: [{ backend: "/nobody" }] }, /unknown backend/],
    [{ gateways: "elsewhere" }, /unknown gateway reference/],
    [{ policies: { backendTLS: { spiffe: {} } } }, /`backendTLS.spiffe` is not built yet/],
    [{ matches: [{ path: { exact: "a" } }] }, /starts with `\/`/],
    [{ hostnames: ["a b"] }, /is not a host name/],
    [{ backends: "x" }, /expected a list/],
  ]
  it("are all said at once, each at its own route", async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...mistakes.entries()], { minLength: 1 }), async (chosen) => {
        const routes = chosen.map(([, [route]], i) => ({ name: `r${i}`, backends: [{ host: "a:1" }], ...route }))
        const outcome = await run(stringify({ gateways: { default: { port: 1 } }, routes }))
        const issues = "issues" in outcome ? outcome.issues : []
        for (const [i, [, [, said]]] of chosen.entries()) {
          expect(
            issues.filter((issue) => issue.path.startsWith(`routes[${i}]`) && said.test(issue.message)),
          ).toHaveLength(1)
        }
        expect(issues).toHaveLength(chosen.length)
      }),
      { numRuns: 100 },
    )
  })
})
