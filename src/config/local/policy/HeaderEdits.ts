/** `requestHeaderModifier` and `responseHeaderModifier`: headers that are added, set and removed. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { HeaderEdits as IrHeaderEdits, HeaderValue } from "../../../../ir/policy/HeaderEdits.ts"
import type { RequestHeaderModifier } from "../../../../ir/policy/RequestHeaderModifier.ts"
import type { ResponseHeaderModifier } from "../../../../ir/policy/ResponseHeaderModifier.ts"
import { compileEdits as ofRequest } from "../../../../stages/5-policy/requestHeaderModifier.ts"
import { compileEdits as ofReply } from "../../../../stages/5-policy/responseHeaderModifier.ts"
import type { Path } from "../../ConfigIssue.ts"
import { opt, TextMap, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { headerName, headerNames, writableName } from "./headers.ts"

const headerEditsShape = Schema.Struct({
  add: opt(TextMap, "Headers to add beside those of the same name."),
  set: opt(TextMap, "Headers to put in place of those of the same name."),
  remove: opt(Texts, "Headers to take out."),
}).annotate({ identifier: "HeaderModifier" })
export interface HeaderEditsSchema extends Named<typeof headerEditsShape> {}
export const HeaderEdits: HeaderEditsSchema = headerEditsShape
export type HeaderEdits = typeof HeaderEdits.Type

// A line break or a null byte in a value would let configuration write headers of its own.
const forbidden = /[\0\r\n]/
const carried = /^[\t\x20-\x7e\x80-\xff]*$/

/** A text says why the edits cannot be made. */
type Compile = (edits: IrHeaderEdits) => unknown

const headerValues = (
  map: Readonly<Record<string, string>> = {},
  path: Path,
  to: Mapping,
  compile: Compile,
): ReadonlyArray<HeaderValue> =>
  Object.entries(map).map(([name, value]) => {
    const at = [...path, name]
    if (carried.test(value)) {
      const complaint = (lower: string): string | undefined => {
        const compiled = compile({ add: [], set: [{ name: lower, value }], remove: [] })
        return typeof compiled === "string" ? compiled : undefined
      }
      return { name: writableName(name, at, to, complaint), value }
    }
    if (forbidden.test(value)) to.fail(at, "a header value cannot contain line breaks or null bytes")
    else to.fail(at, "a header carries no control characters and none beyond Latin-1", "Encode the value.")
    return { name: headerName(name, at, to), value }
  })

/** `compile` says of each edit by itself whether it can be made. */
export const headerEdits = (edits: HeaderEdits, path: Path, to: Mapping, compile: Compile): IrHeaderEdits => ({
  add: headerValues(edits.add, [...path, "add"], to, compile),
  set: headerValues(edits.set, [...path, "set"], to, compile),
  remove: headerNames(edits.remove, [...path, "remove"], to),
})

export const requestHeaderModifier = (edits: HeaderEdits, path: Path, to: Mapping): RequestHeaderModifier => ({
  _tag: "RequestHeaderModifier",
  ...headerEdits(edits, path, to, ofRequest),
})

export const responseHeaderModifier = (edits: HeaderEdits, path: Path, to: Mapping): ResponseHeaderModifier => ({
  _tag: "ResponseHeaderModifier",
  ...headerEdits(edits, path, to, ofReply),
})
