import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { type Edit, edit } from "../../src/config/local/write.ts"

const key = fc.stringMatching(/^[a-z]{1,3}$/)
const scalar = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.string({ unit: "grapheme-ascii", maxLength: 6 }),
  fc.constantFrom("true", "1", "a: b", "#x", "- y", "", "{", "null"),
)

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
}))

interface Drawn {
  readonly text: string
  readonly comments: ReadonlyArray<string>
}

/** A document in some of the ways people lay them out, a comment on many of its lines. */
const draw = (root: Record<string, unknown>, choices: ReadonlyArray<number>): Drawn => {
  let next = 0
  const choose = (n: number) => (choices[next++ % choices.length] ?? 0) % n
  const comments: Array<string> = []
  const comment = () => {
    const text = `note ${comments.length}`
    comments.push(text)
    return `# ${text}`
  }
  const plain = (one: unknown) => JSON.stringify(one)
  const lines: Array<string> = []
  const write = (one: unknown, indent: number, before: string) => {
    const pad = " ".repeat(indent)
    const isMap = typeof one === "object" && one !== null && !Array.isArray(one)
    const isEmpty = typeof one === "object" && one !== null && Object.keys(one).length === 0
    if ((!isMap && !Array.isArray(one)) || isEmpty || choose(4) === 0) {
      lines.push(`${before} ${plain(one)}${choose(3) === 0 ? `  ${comment()}` : ""}`)
      return
    }
    lines.push(`${before}${choose(3) === 0 ? ` ${comment()}` : ""}`)
    if (Array.isArray(one)) {
      for (const item of one) {
        if (choose(4) === 0) lines.push(`${pad}${comment()}`)
        write(item, indent + 4, `${pad}-`)
      }
    } else {
      for (const [name, inner] of Object.entries(Object(one))) {
        if (choose(4) === 0) lines.push("")
        if (choose(4) === 0) lines.push(`${pad}${comment()}`)
        write(inner, indent + 2, `${pad}${name}:`)
      }
    }
  }
  for (const [name, inner] of Object.entries(root)) write(inner, 2, `${name}:`)
  return { text: `${lines.join("\n")}\n`, comments }
}

const places = (
  root: unknown,
  path: ReadonlyArray<string | number> = [],
): ReadonlyArray<ReadonlyArray<string | number>> =>
  typeof root !== "object" || root === null
    ? [path]
    : [
        path,
        ...Object.entries(root).flatMap(([name, inner]) =>
          places(inner, [...path, Array.isArray(root) ? Number(name) : name]),
        ),
      ]

const at = (root: unknown, path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (here, part) => (typeof here === "object" && here !== null ? Reflect.get(here, part) : undefined),
    root,
  )

const input = fc.record({
  root: fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 }),
  choices: fc.array(fc.nat(11), { minLength: 8, maxLength: 40 }),
  pick: fc.nat(),
  added: value,
})

describe("an edit", () => {
  it("of a value leaves every other value, and every comment outside of what it replaced", () => {
    fc.assert(
      fc.property(input, ({ added, choices, pick, root }) => {
        const { comments, text } = draw(root, choices)
        const paths = places(root).filter((path) => path.length > 0)
        const path = paths[pick % paths.length] ?? []
        const result = edit(text, [{ _tag: "Set", path, value: added }])
        const after = Result.getOrThrow(result)
        const before: unknown = parse(text)
        const wanted = structuredClone(before)
        Reflect.set(Object(at(wanted, path.slice(0, -1))), path.at(-1) ?? "", added)
        expect(parse(after)).toEqual(wanted)
        const old = at(before, path)
        const isScalar = (one: unknown) => typeof one !== "object" || one === null
        if (isScalar(old) && isScalar(added)) {
          for (const one of comments) expect(after).toMatch(new RegExp(`# ${one}$`, "m"))
          expect(after.split("\n").length).toBe(text.split("\n").length)
        }
      }),
      { numRuns: 500 },
    )
  })

  it("that adds or removes touches no other value", () => {
    fc.assert(
      fc.property(input, ({ added, choices, pick, root }) => {
        const { text } = draw(root, choices)
        const before: unknown = parse(text)
        const lists = places(root).filter((path) => Array.isArray(at(before, path)))
        const anywhere = places(root).filter((path) => path.length > 0)
        const list = lists[pick % Math.max(1, lists.length)]
        const one: Edit =
          list !== undefined && pick % 2 === 0
            ? { _tag: "Append", path: list, value: added }
            : { _tag: "Delete", path: anywhere[pick % anywhere.length] ?? [] }
        const wanted: unknown = structuredClone(before)
        const parent: unknown = at(wanted, one._tag === "Append" ? one.path : one.path.slice(0, -1))
        const last = one.path.at(-1) ?? ""
        if (one._tag === "Append" && Array.isArray(parent)) parent.push(added)
        else if (Array.isArray(parent)) parent.splice(Number(last), 1)
        else Reflect.deleteProperty(Object(parent), last)
        const after: unknown = parse(Result.getOrThrow(edit(text, [one])))
        expect(after ?? {}).toEqual(wanted)
      }),
      { numRuns: 500 },
    )
  })
})
