import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { type Edit, edit, withSchemaLine } from "../../src/config/local/write.ts"

const text = `# top

gateways:
  default:   # the one
    port: 3000
    # about tls
    tls: {cert: a.pem,   key: 'b.pem'}

routes:
# first
- name: a   # name
  hostnames: ["x.example.com",   'y.example.com']

  backends:
    - host: "a:1" # here
    - host: b:1
      weight: 2
- name: b
`

const done = (...edits: ReadonlyArray<Edit>) => Result.getOrThrow(edit(text, edits))

/** Lines that went and lines that came. */
const difference = (after: string) => {
  const [old, now] = [text.split("\n"), after.split("\n")]
  return { gone: old.filter((line) => !now.includes(line)), come: now.filter((line) => !old.includes(line)) }
}

describe("changes to a file touch nothing else", () => {
  it.each<readonly [string, Edit, { gone: ReadonlyArray<string>; come: ReadonlyArray<string> }]>([
    [
      "a number",
      { _tag: "Set", path: ["gateways", "default", "port"], value: 4000 },
      { gone: ["    port: 3000"], come: ["    port: 4000"] },
    ],
    [
      "a quoted value keeps its quotes",
      { _tag: "Set", path: ["routes", 0, "backends", 0, "host"], value: "c:2" },
      { gone: ['    - host: "a:1" # here'], come: ['    - host: "c:2" # here'] },
    ],
    [
      "a word that needs quotes gets them",
      { _tag: "Set", path: ["routes", 1, "name"], value: "true" },
      { gone: ["- name: b"], come: ['- name: "true"'] },
    ],
    [
      "a value in braces",
      { _tag: "Set", path: ["gateways", "default", "tls", "cert"], value: "c.pem" },
      { gone: ["    tls: {cert: a.pem,   key: 'b.pem'}"], come: ["    tls: {cert: c.pem,   key: 'b.pem'}"] },
    ],
    [
      "a new key",
      { _tag: "Set", path: ["gateways", "default", "cors"], value: { allowOrigins: ["*"] } },
      { gone: [], come: ["    cors:", "      allowOrigins:", '        - "*"'] },
    ],
    [
      "a new key far down",
      { _tag: "Set", path: ["config", "logging", "level"], value: "debug" },
      { gone: [], come: ["config:", "  logging:", "    level: debug"] },
    ],
    [
      "an element",
      { _tag: "Append", path: ["routes"], value: { name: "c", hostnames: ["z"] } },
      { gone: [], come: ["- name: c", "  hostnames:", "    - z"] },
    ],
    [
      "an element in brackets",
      { _tag: "Append", path: ["routes", 0, "hostnames"], value: "z" },
      {
        gone: ["  hostnames: [\"x.example.com\",   'y.example.com']"],
        come: ["  hostnames: [\"x.example.com\",   'y.example.com', z]"],
      },
    ],
    [
      "an element of a list that is not there",
      { _tag: "Append", path: ["backends"], value: { name: "x" } },
      { gone: [], come: ["backends:", "  - name: x"] },
    ],
    [
      "an element that goes",
      { _tag: "Delete", path: ["routes", 0, "backends", 1] },
      { gone: ["    - host: b:1", "      weight: 2"], come: [] },
    ],
    [
      "a key that goes",
      { _tag: "Delete", path: ["routes", 0, "backends", 1, "weight"] },
      { gone: ["      weight: 2"], come: [] },
    ],
    [
      "the first key of an element",
      { _tag: "Delete", path: ["routes", 0, "backends", 1, "host"] },
      { gone: ["    - host: b:1", "      weight: 2"], come: ["    - weight: 2"] },
    ],
    [
      "a whole block",
      { _tag: "Set", path: ["routes", 0, "backends"], value: [{ host: "n:1" }] },
      { gone: ['    - host: "a:1" # here', "    - host: b:1", "      weight: 2"], come: ["    - host: n:1"] },
    ],
  ])("%s", (_name, one, expected) => {
    expect(difference(done(one))).toEqual(expected)
  })
  it("follow one another", () => {
    const after = done(
      { _tag: "Append", path: ["routes"], value: { name: "c" } },
      { _tag: "Set", path: ["routes", 2, "name"], value: "d" },
      { _tag: "Delete", path: ["routes", 1] },
    )
    expect(difference(after)).toEqual({ gone: ["- name: b"], come: ["- name: d"] })
  })
  it("make an empty file a file", () => {
    expect(Result.getOrThrow(edit("", [{ _tag: "Set", path: ["gateways", "default", "port"], value: 1 }]))).toBe(
      "gateways:\n  default:\n    port: 1\n",
    )
  })
})

describe("inside braces and brackets everything else stays as it is laid out", () => {
  const laidOut = `binds: [{port: 3000, listeners: [   # all of them
    # the shop
    {hostname: "*.example.com",   protocol: http,   # plain
     routes: [ {name: 'a', backends: [{host: "x:1"}]} ]}   # the end
  ]}]
other: {
  a: 1, # one
  'b': "two" # two
}
empty: {}
none: [ ]
trailing: [1, 2,]
`
  it.each<readonly [string, Edit, ReadonlyArray<readonly [string, string]>]>([
    [
      "a value",
      { _tag: "Set", path: ["binds", 0, "listeners", 0, "routes", 0, "backends", 0, "host"], value: "y:2" },
      [[`"x:1"`, `"y:2"`]],
    ],
    [
      "an element",
      { _tag: "Append", path: ["binds", 0, "listeners", 0, "routes"], value: { name: "b, c" } },
      [[`"x:1"}]} ]`, `"x:1"}]}, {name: "b, c"} ]`]],
    ],
    ["a new key", { _tag: "Set", path: ["other", "c"], value: { d: [3] } }, [[`"two" #`, `"two", c: {d: [3]} #`]]],
    [
      "a new key far down",
      { _tag: "Set", path: ["binds", 0, "listeners", 0, "tls", "cert"], value: "a.pem" },
      [[`"x:1"}]} ]}`, `"x:1"}]} ], tls: {cert: a.pem}}`]],
    ],
    ["another kind of value", { _tag: "Set", path: ["other", "a"], value: [1, 2] }, [["a: 1, #", "a: [1, 2], #"]]],
    ["a key that goes", { _tag: "Delete", path: ["other", "a"] }, [["a: 1, #", "#"]]],
    ["the last key", { _tag: "Delete", path: ["other", "b"] }, [[`  'b': "two" # two`, "   # two"]]],
    ["a key of several in a line", { _tag: "Delete", path: ["binds", 0, "port"] }, [["port: 3000, ", ""]]],
    ["the first of what is empty", { _tag: "Set", path: ["empty", "a"], value: 1 }, [["{}", "{a: 1}"]]],
    ["the first of an empty list", { _tag: "Append", path: ["none"], value: 1 }, [["[ ]", "[1 ]"]]],
    ["behind a comma that ends nothing", { _tag: "Append", path: ["trailing"], value: 3 }, [["2,]", "2, 3,]"]]],
    ["an element that goes", { _tag: "Delete", path: ["trailing", 0] }, [["1, 2,", "2,"]]],
  ])("%s", (_name, one, changes) => {
    const expected = changes.reduce((text, [from, to]) => text.replace(from, to), laidOut)
    expect(Result.getOrThrow(edit(laidOut, [one]))).toBe(expected)
  })

  it("and no remark is lost, whatever is changed", () => {
    const remarks = (text: string): ReadonlyArray<string> => text.match(/# ?[a-z ]+/g) ?? []
    const all: ReadonlyArray<Edit> = [
      { _tag: "Append", path: ["binds", 0, "listeners"], value: { hostname: "b" } },
      { _tag: "Set", path: ["binds", 0, "listeners", 0, "protocol"], value: "tcp" },
      { _tag: "Delete", path: ["binds", 0, "listeners", 0, "hostname"] },
      { _tag: "Append", path: ["binds"], value: { port: 1 } },
      { _tag: "Delete", path: ["other", "b"] },
      { _tag: "Set", path: ["other", "z"], value: "#" },
    ]
    expect(remarks(Result.getOrThrow(edit(laidOut, all)))).toEqual(expect.arrayContaining([...remarks(laidOut)]))
  })
})

describe("changes that cannot be made are refused", () => {
  it.each<readonly [string, string, Edit]>([
    ["an alias", "a: &x {b: 1}\nc: *x", { _tag: "Set", path: ["c", "b"], value: 2 }],
    ["below a plain value", "a: 1", { _tag: "Set", path: ["a", "b"], value: 2 }],
    ["nothing to delete", "a: 1", { _tag: "Delete", path: ["b"] }],
    ["not a list", "a: {b: 1}", { _tag: "Append", path: ["a"], value: 1 }],
    ["beyond the end of a list", "a: [1]", { _tag: "Set", path: ["a", 3, "b"], value: 1 }],
    ["a broken file", "a: [1", { _tag: "Set", path: ["a"], value: 1 }],
  ])("%s", (_name, source, one) => {
    expect(Result.isFailure(edit(source, [one]))).toBe(true)
  })
})

describe("the line for editors", () => {
  it("is added once", () => {
    const first = withSchemaLine("a: 1\n")
    expect(first).toBe("# yaml-language-server: $schema=node_modules/sluice/docs/reference/config.schema.json\na: 1\n")
    expect(withSchemaLine(first)).toBe(first)
  })
  it("stays what the owner of the file made it", () => {
    const own = "# mine\n# yaml-language-server: $schema=../x.json\na: 1\n"
    expect(withSchemaLine(own)).toBe(own)
  })
})
