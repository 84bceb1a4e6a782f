/** Untyped values to typed ones, with every complaint at its path and in words a person would use. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { formatPath, type Path } from "../ConfigIssue.ts"
import { chooseFrom, suggest } from "../suggest.ts"
import { movedFields } from "./movedFields.ts"
import { error, type Problem, warning, within } from "./Problem.ts"

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return "nothing"
  if (Array.isArray(value)) return "a list"
  switch (typeof value) {
    case "string":
      return "a string"
    case "number":
      return "a number"
    case "boolean":
      return "true or false"
    default:
      return "a map"
  }
}

const expectationOf = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  const end = ast.encoding?.at(-1)?.to
  if (end !== undefined) return expectationOf(end)
  switch (ast._tag) {
    case "String":
      return ["a string"]
    case "Number":
      return ["a number"]
    case "Boolean":
      return ["true or false"]
    case "Arrays":
      return ["a list"]
    case "Objects":
      return ["a map"]
    case "Literal":
      return [`\`${String(ast.literal)}\``]
    case "Union":
      return [...new Set(ast.types.flatMap(expectationOf))]
    case "Suspend":
      return expectationOf(ast.thunk())
    case "Null":
      return ["nothing"]
    default:
      return ["another kind of value"]
  }
}

const list = (words: ReadonlyArray<string>): string =>
  words.length <= 1 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

const wrongType = (ast: SchemaAST.AST, input: unknown, path: Path): Problem => {
  const expected = expectationOf(ast)
  if (input === null && ast.context?.isOptional === true) {
    return warning(path, "is empty and has no effect", "Remove the key, or give it a value.")
  }
  const spelt = expected.every((word) => word.startsWith("`"))
  return spelt && typeof input === "string"
    ? error(path, `unknown value ${JSON.stringify(input)}`, `Use ${list(expected)}.`)
    : error(path, `expected ${list(expected)}, found ${kindOf(input)}`, anotherType(ast, expected, input))
}

/** How to write the kind of value that is expected, where what was written says what was meant. */
const anotherType = (ast: SchemaAST.AST, expected: ReadonlyArray<string>, input: unknown): string => {
  const isPlain = typeof input === "number" || typeof input === "boolean"
  if (isPlain && expected.includes("a string")) return "Put the value in quotes."
  if (typeof input === "string" && expected.includes("a number") && /^\s*-?\d+(?:\.\d+)?\s*$/.test(input)) {
    return "Remove the quotes."
  }
  if (expected.includes("true or false") && typeof input === "string") return "Write `true` or `false`, without quotes."
  if (expected.includes("a list") && !Array.isArray(input)) return "Begin each entry of the list with `- `."
  const keys = fieldsOf(ast)
  return keys.length > 0 && keys.length <= 8 ? `Its keys are ${keys.map((key) => `\`${key}\``).join(", ")}.` : ""
}

/** What the schema says, and which key somebody meant who wrote another. */
interface Found extends Problem {
  readonly meant?: string
  /** There is no such key, and there has to be. */
  readonly isMissing?: true
}

const fieldsOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Objects" ? ast.propertySignatures.map((property) => String(property.name)) : []

/** Complaints about the keys of a value itself say that another shape was meant; one that is nearly right says that this was. */
const misfit = (problems: ReadonlyArray<Found>, depth: number): number => {
  const meant = new Set(problems.map((one) => one.meant))
  return problems.filter(
    (one) =>
      one.path.length <= depth + (one.at === "key" ? 1 : 0) &&
      one.meant === undefined &&
      !(one.at === "key" && meant.has(String(one.path.at(-1)))),
  ).length
}

/** Policies that may depend on conditions have a second shape, which nobody means without naming its only key. */
const isConditional = (problems: ReadonlyArray<Found>, depth: number): boolean =>
  problems.some(
    ({ isMissing, path }) => isMissing === true && path.length === depth + 1 && path.at(-1) === "conditional",
  )

const collect = (issue: SchemaIssue.Issue, path: Path, message?: string): ReadonlyArray<Found> => {
  switch (issue._tag) {
    case "Composite":
      return issue.issues.flatMap((one) => collect(one, path, message))
    case "Pointer":
      return collect(
        issue.issue,
        [...path, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))],
        message,
      )
    case "Encoding":
      return collect(issue.issue, path, message)
    case "Filter": {
      const { message: own, expected } = issue.filter.annotations ?? {}
      const isEmpty = expected === "a value with a length of at least 1"
      const told = typeof expected === "string" ? `expected ${expected}` : undefined
      const said = typeof own === "string" ? own : isEmpty ? "cannot be empty" : told
      return collect(issue.issue, path, message ?? said)
    }
    case "AnyOf": {
      if (issue.issues.length === 0) return [wrongType(issue.ast, issue.input, path)]
      const all = issue.issues.map((one) => collect(one, path, message))
      const branches = all.filter((branch) => !isConditional(branch, path.length))
      if (branches.length === 0) {
        return [error(path, "expected a list, or a map with `conditional`", "Begin each entry of the list with `- `.")]
      }
      return branches.reduce((best, branch) =>
        misfit(branch, path.length) < misfit(best, path.length) ||
        (misfit(branch, path.length) === misfit(best, path.length) && branch.length < best.length)
          ? branch
          : best,
      )
    }
    case "MissingKey":
      return [{ ...error(path, `${formatPath(path)} is required`), at: "key", isMissing: true }]
    case "UnexpectedKey": {
      const key = String(path.at(-1))
      const known = fieldsOf(issue.ast)
      const remedy = Object.hasOwn(movedFields, key) ? movedFields[key] : chooseFrom(key, known, 40)
      const meant = suggest(key, known)
      return [
        {
          ...error(path, `unknown field \`${key}\``, remedy),
          at: "key",
          ...(meant === undefined ? {} : { meant }),
        },
      ]
    }
    case "InvalidType":
      if (issue.ast._tag === "Never") {
        return [
          { ...error(path, `unknown field \`${String(path.at(-1))}\``, "Remove it: this map is empty."), at: "key" },
        ]
      }
      return [message === undefined ? wrongType(issue.ast, issue.input, path) : error(path, message)]
    case "InvalidValue": {
      const own = issue.annotations?.message
      const remedy = issue.annotations?.["remedy"]
      return [
        error(
          path,
          typeof own === "string" ? own : (message ?? "invalid value"),
          typeof remedy === "string" ? remedy : "",
        ),
      ]
    }
    default:
      return [error(path, message ?? "invalid value")]
  }
}

const options = { errors: "all", onExcessProperty: "error", reportInput: true } as const

const decodeOnce = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const run = Schema.decodeUnknownResult(schema, options)
  return (value: unknown) => run(value)
}

export interface Decoded<A> {
  /** What is left after everything wrong was taken out; absent when nothing is. */
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem>
  /** From a path in `value` to the path in the document: list items that were taken out shift the others. */
  readonly original: (path: Path) => Path
}

type Container = Record<string, unknown> | Array<unknown>

const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null

const at = (root: unknown, path: Path): unknown => {
  let here = root
  for (const part of path) {
    if (!isContainer(here)) return undefined
    here = Array.isArray(here) ? here[Number(part)] : here[String(part)]
  }
  return here
}

/**
 * Decodes; what cannot be decoded is reported, taken out, and the rest decoded again, so that one mistake does not hide
 * the others from the steps that follow. The value may be changed in place.
 */
export const decoder = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const once = decodeOnce(schema)
  return (input: unknown, unread: ReadonlyArray<Path> = []): Decoded<S["Type"]> => {
    const problems: Array<Problem> = []
    const known: Array<Path> = [...unread]
    const indexes = new WeakMap<object, Array<number>>()
    const original = (path: Path): Path => {
      let here: unknown = input
      return path.map((part) => {
        const array = here
        here = isContainer(here) ? (Array.isArray(here) ? here[Number(part)] : here[String(part)]) : undefined
        return Array.isArray(array) && typeof part === "number" ? (indexes.get(array)?.[part] ?? part) : part
      })
    }
    for (let round = 0; round < 64; round++) {
      const result = once(input)
      if (Result.isSuccess(result)) return { value: result.success, problems, original }
      const found = collect(result.failure.issue, [])
      // A key that is missing since another was written in its place is one mistake.
      const meant = new Set(
        found.flatMap((one) => (one.meant === undefined ? [] : [formatPath([...one.path.slice(0, -1), one.meant])])),
      )
      const prunedItems = new Map<Array<unknown>, Set<number>>()
      let pruned = false
      const translated = found.map((problem) => ({ problem, path: original(problem.path) }))
      const before = known.length
      for (const { problem, path } of translated) {
        const isMissing = at(input, problem.path) === undefined
        // What is missing only since something beside it was taken out was never wrong.
        const place = isMissing && round > 0 ? path.slice(0, -1) : path
        const isSaid =
          (isMissing && meant.has(formatPath(problem.path))) || known.slice(0, before).some((one) => within(one, place))
        if (!isSaid) problems.push({ ...problem, path })
        known.push(path)
        const target = isMissing ? problem.path.slice(0, -1) : problem.path
        const last = target.at(-1)
        if (last === undefined) continue
        const parent = at(input, target.slice(0, -1))
        if (Array.isArray(parent)) {
          const items = prunedItems.get(parent) ?? new Set()
          prunedItems.set(parent, items.add(Number(last)))
          pruned = true
        } else if (isContainer(parent) && Object.hasOwn(parent, String(last))) {
          delete (parent as Record<string, unknown>)[String(last)]
          pruned = true
        }
      }
      for (const [parent, items] of prunedItems) {
        const before = indexes.get(parent) ?? parent.map((_, i) => i)
        indexes.set(
          parent,
          before.filter((_, i) => !items.has(i)),
        )
        for (const i of [...items].sort((a, b) => b - a)) parent.splice(i, 1)
      }
      if (!pruned) break
    }
    return { value: undefined, problems, original }
  }
}
