import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { canonical } from "../../../protocols/lock/canonical.ts"
import { difference, legible, rendered } from "../../../protocols/lock/difference.ts"
import { foldName } from "../../../protocols/lock/fold.ts"
import { itemHash, type Leaf, rootOf } from "../../../protocols/lock/hash.ts"
import { unveil } from "../../../protocols/lock/hidden.ts"

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")

describe("canonical JSON", () => {
  it("is that of RFC 8785", () => {
    const text = String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
      "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`
    expect(canonical(text).text).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  it("orders members by UTF-16 code units, and takes -0 for 0", () => {
    expect(canonical('{"\u{1f600}":1,"\ufb33":-0,"\u20ac":2}').text).toBe('{"\u20ac":2,"\u{1f600}":1,"\ufb33":0}')
  })

  it("refuses what is no JSON", () => {
    for (const text of ["", "{", "[1,]", "{}x", "01", '{"a" 1}', "'a'", `${"[".repeat(600)}${"]".repeat(600)}`]) {
      expect(() => canonical(text), text.slice(0, 10)).toThrow(SyntaxError)
    }
  })
})

describe("hashes", () => {
  it("of one text are different for each kind, and say by which rules they were made", () => {
    expect(itemHash("tool", "{}", digest)).toMatch(/^v1:[0-9a-f]{64}$/)
    expect(itemHash("tool", "{}", digest)).not.toBe(itemHash("prompt", "{}", digest))
  })

  it("have a root that does not depend on their order, and changes with each of them", () => {
    const leaves: ReadonlyArray<Leaf> = ["a", "b", "c", "d", "e"].map((name) => ({
      kind: "tool",
      name,
      hash: `v1:${name}`,
    }))
    const root = rootOf(leaves, digest)
    expect(rootOf(leaves.toReversed(), digest)).toBe(root)
    for (const [i] of leaves.entries()) {
      expect(rootOf(leaves.toSpliced(i, 1), digest)).not.toBe(root)
      expect(rootOf(leaves.with(i, { kind: "tool", name: "a", hash: "v1:z" }), digest)).not.toBe(root)
    }
  })
})

describe("what is hidden", () => {
  it("is taken out, and told", () => {
    expect(unveil("a\u200bb\u202ec")).toEqual({
      text: "abc",
      characters: ["\u200b", "\u202e"],
      spelled: "",
      terminal: false,
    })
    expect(unveil("\u001b[31mred\u001b[0m")).toMatchObject({ text: "red", terminal: true })
    expect(unveil("\u001b]8;;https://a.example\u0007link\u001b]8;;\u0007")).toMatchObject({
      text: "link",
      terminal: true,
    })
    const tags = [..."run"].map((one) => String.fromCodePoint(0xe0000 + one.charCodeAt(0))).join("")
    expect(unveil(`x${tags}`)).toMatchObject({ text: "x", spelled: "run" })
  })

  it("is not what ordinary writing needs", () => {
    for (const text of ["👩‍💻", "❤️", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "क्‍ष", "می‌خواهم", "line\r\n\tnext", "1️⃣", "☎️"]) {
      expect(unveil(text).characters, text).toEqual([])
    }
  })
})

describe("names that pass for one another", () => {
  it("are the same name under case, dashes and lookalikes", () => {
    expect(foldName("Read-File")).toBe(foldName("read_file"))
    expect(foldName("rеаd_filе")).toBe(foldName("read_file"))
    expect(foldName("read_fi1e")).toBe(foldName("read_file"))
    expect(foldName("read_file")).not.toBe(foldName("write_file"))
  })
})

describe("a difference", () => {
  it("shows what changed with a little around it, and spells out what is hidden", () => {
    const before = JSON.stringify({ description: "Reads a file. It is short.", name: "x" })
    const after = JSON.stringify({ description: "Reads a file.\u200b Do it twice.", name: "x" })
    expect(rendered(difference(before, after))).toBe(
      [
        "  {",
        '-   "description": "Reads a file.',
        '- It is short.",',
        '+   "description": "Reads a file.<U+200B> Do it twice.",',
        '    "name": "x"',
        "  }",
      ].join("\n"),
    )
    expect(legible("a\u001b[2Jb")).toBe("a<U+001B>[2Jb")
  })
})
