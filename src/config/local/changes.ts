/** The edits that turn one document into another: small ones, so that a file changes only where its meaning does. */
import { isDeepStrictEqual } from "node:util"
import type { Path } from "../ConfigIssue.ts"
import type { Edit } from "./write.ts"

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const changes = (before: unknown, after: unknown, path: Path = []): ReadonlyArray<Edit> => {
  if (isDeepStrictEqual(before, after)) return []
  if (isMap(before) && isMap(after)) {
    const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
    return [
      ...gone.map((key): Edit => ({ _tag: "Delete", path: [...path, key] })),
      ...Object.entries(after).flatMap(([key, value]): ReadonlyArray<Edit> =>
        Object.hasOwn(before, key)
          ? changes(before[key], value, [...path, key])
          : [{ _tag: "Set", path: [...path, key], value }],
      ),
    ]
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const shared = Math.min(before.length, after.length)
    const edits: Array<Edit> = []
    for (let i = 0; i < shared; i++) edits.push(...changes(before[i], after[i], [...path, i]))
    // From the end, so that the places of the others stay what they are.
    for (let i = before.length - 1; i >= shared; i--) edits.push({ _tag: "Delete", path: [...path, i] })
    for (const value of after.slice(shared)) edits.push({ _tag: "Append", path, value })
    return edits
  }
  return [{ _tag: "Set", path, value: after }]
}
