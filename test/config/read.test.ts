import { describe, expect, it } from "vitest"
import { read } from "../../src/config/local/read.ts"

const said = (text: string, env: Record<string, string> = {}) =>
  read(text, env).issues.map((issue) => `${issue.line}:${issue.column} ${issue.path}: ${issue.message}`)

const value = (text: string, env: Record<string, string> = {}) => {
  const document = read(text, env)
  expect(document.issues).toEqual([])
  return document.value
}

describe("expansion", () => {
  const env = { NAME: "web", PORT: "8080", EMPTY: "", YES: "true", LIST: "[a, b]", DOLLAR: "$NAME" }
  it.each([
    ["a: $NAME", { a: "web" }],
    ["a: ${NAME}", { a: "web" }],
    ["a: x-${NAME}-y", { a: "x-web-y" }],
    ["a: ${MISSING:-fallback}", { a: "fallback" }],
    ["a: ${EMPTY:-fallback}", { a: "fallback" }],
    ["a: ${MISSING:-}", { a: null }],
    ['a: "${MISSING:-}"', { a: "" }],
    ["a: ${PORT}", { a: 8080 }],
    ['a: "${PORT}"', { a: "8080" }],
    ["a: $YES", { a: true }],
    ["a: $LIST", { a: "[a, b]" }],
    ["a: $DOLLAR", { a: "$NAME" }],
    ["a: {b: ${PORT}, c: ${MISSING:-x,y}}", { a: { b: 8080, c: "x,y" } }],
    ["a: [${NAME}, $NAME]", { a: ["web", "web"] }],
    ["a: $$NAME", { a: "$NAME" }],
    ["a: cost $5", { a: "cost $5" }],
    ['a: "^/x$"', { a: "^/x$" }],
    ["a: '^a{2,3}$'", { a: "^a{2,3}$" }],
    ["a: |\n  $NAME\n  b\n", { a: "web\nb\n" }],
    ["$NAME: a", { $NAME: "a" }],
    ["# $MISSING\na: 1 # ${MISSING}", { a: 1 }],
    ['{"a": "$NAME"}', { a: "web" }],
  ])("%j", (text, expected) => {
    expect(value(text, env)).toEqual(expected)
  })
  it("of an unset variable is an error where it is written", () => {
    expect(said("a: 1\nb: x $MISSING ${GONE}")).toEqual([
      "2:6 b: environment variable not found: MISSING",
      "2:15 b: environment variable not found: GONE",
    ])
  })
  it("refuses what other shells can do", () => {
    expect(said("a: ${X:?no}")).toEqual(["1:4 a: `${X:?no}` is not an expansion that is known here"])
  })
})

describe("documents", () => {
  it("are empty when there is nothing in them", () => {
    expect(value("")).toEqual({})
    expect(value("# only a comment\n")).toEqual({})
  })
  it("may be JSON", () => {
    expect(value('{"gateways": {"default": {"port": 3000}}, "routes": []}')).toEqual({
      gateways: { default: { port: 3000 } },
      routes: [],
    })
  })
  it("may use anchors, aliases and merges", () => {
    expect(value("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2")).toEqual({ a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } })
  })
  it("turn keys into text", () => {
    expect(value("80: 8080\ntrue: x")).toEqual({ 80: 8080, true: "x" })
  })
  it("say where a key is written twice", () => {
    expect(said("a: 1\nb: 2\na: 3")).toEqual(["3:1 a: duplicate key `a`"])
  })
  it("are one to a file", () => {
    expect(said("a: 1\n---\nb: 2")[0]).toMatch(/more than one YAML document/)
  })
  it("cannot contain themselves", () => {
    expect(said("a: &x [*x]")).toEqual(["1:8 a[0]: the alias `*x` contains itself"])
    expect(said("a: *nope")[0]).toMatch(/unknown alias|Unresolved alias/)
  })
  it("cannot reach the prototype", () => {
    expect(said("__proto__: {x: 1}")).toEqual(["1:1 __proto__: `__proto__` cannot be a key"])
  })
  it("do not end the process when they are nested beyond reason", () => {
    expect(said("[".repeat(100_000))).toEqual([expect.stringMatching(/nested too deeply/)])
    expect(said("{a: ".repeat(100_000))).toEqual([expect.stringMatching(/nested too deeply/)])
    expect(said(`a: ${"[".repeat(501)}${"]".repeat(501)}`)).toEqual([expect.stringMatching(/nested too deeply/)])
    expect(said(`a: ${"[".repeat(400)}${"]".repeat(400)}`)).toEqual([])
    // Those of a text are no nesting.
    expect(said(`a: "${"[".repeat(1_000)}"`)).toEqual([])
  })
  it("do not grow without bound through aliases", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      )
    expect(said(lines.join("\n"))).toEqual([expect.stringMatching(/more than \d+ values, aliases included/)])
  })
  it("may begin with a byte order mark, which is no column", () => {
    expect(value("\uFEFFa: 1\r\nb:\r\n  c: 2\r\n")).toEqual({ a: 1, b: { c: 2 } })
    expect(said("\uFEFFa: $GONE")).toEqual(["1:4 a: environment variable not found: GONE"])
  })
  it("are told of one mistake in their syntax once, with what to do about it", () => {
    const remedies = (text: string) =>
      read(text, {}).issues.map(({ column, line, remedy }) => `${line}:${column} ${remedy}`)
    expect(remedies("a: {b: 1}]\n\nc: [{d: 1}, {e: {f: 2}}]\n")).toEqual([
      "1:10 Look for what was opened before and is not closed, or put the text in quotes.",
    ])
    expect(remedies('a: "\\d+"\nb: "\\w"')).toEqual([
      "1:5 Write `\\\\` for a backslash, or use single quotes.",
      "2:5 Write `\\\\` for a backslash, or use single quotes.",
    ])
    expect(remedies("a: !env PORT")).toEqual(["1:4 Remove the tag; variables are written `$NAME`."])
    expect(remedies("a: b: c")).toEqual([
      "1:4 Put a value with `: ` in it in quotes, or begin a map on a line of its own.",
    ])
    expect(remedies("a:\n\tb: 1\nc: 1")).toEqual(["2:1 Indent with spaces."])
  })
  it("say where YAML is broken", () => {
    expect(said("a:\n  b: [1, 2\nc: 3")[0]).toMatch(/^3:\d+ : /)
    expect(said("a:\n\tb: 1")[0]).toMatch(/^2:1 : /)
  })
})

describe("places", () => {
  const document = read('a:\n  - b: "x"\n    c:\n      d: 1\n  - e\nf: {g: [1, 2]}\n', {})
  it.each([
    [["a", 0, "b"], 2, 8],
    [["a", 0, "c", "d"], 4, 10],
    [["a", 1], 5, 5],
    [["f", "g", 1], 6, 12],
    [["a", 0, "missing"], 2, 5],
    [["nothing"], 1, 1],
  ] as ReadonlyArray<readonly [ReadonlyArray<string | number>, number, number]>)("%j", (path, line, column) => {
    expect(document.locate(path)).toEqual({ line, column })
  })
  it("of keys", () => {
    expect(document.locate(["a", 0, "c"], "key")).toEqual({ line: 3, column: 5 })
  })
})
