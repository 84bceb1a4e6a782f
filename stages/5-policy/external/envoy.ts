/** The vocabulary that the services of the Envoy family share, between their messages and ours. */
import { create, type JsonObject } from "@bufbuild/protobuf"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import {
  type HeaderMap,
  HeaderMapSchema,
  type HeaderValue,
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as Action,
} from "../../../protocols/grpc/generated/envoy_core_pb.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import type { FieldChange } from "./mutation.ts"
import { textOfValue, valueOfBytes, valueOfText } from "./text.ts"

const actionOf = ({ append, appendAction }: HeaderValueOption): FieldChange["action"] => {
  switch (appendAction) {
    case Action.ADD_IF_ABSENT:
      return "addIfAbsent"
    case Action.OVERWRITE_IF_EXISTS_OR_ADD:
      return "set"
    case Action.OVERWRITE_IF_EXISTS:
      return "setIfPresent"
    default:
      // 0 is also what a service sends that knows only the older field.
      return append === true ? "append" : "set"
  }
}

const valueOf = ({ rawValue, value }: HeaderValue): string =>
  rawValue.byteLength > 0 ? valueOfBytes(rawValue) : valueOfText(value)

export const changesOf = (options: ReadonlyArray<HeaderValueOption>): ReadonlyArray<FieldChange> =>
  options.flatMap((option) =>
    option.header === undefined
      ? []
      : [{ name: option.header.key.toLowerCase(), value: valueOf(option.header), action: actionOf(option) }],
  )

export const plainChangesOf = (
  headers: ReadonlyArray<HeaderValue>,
  action: FieldChange["action"],
): ReadonlyArray<FieldChange> =>
  headers.map((header) => ({ name: header.key.toLowerCase(), value: valueOf(header), action }))

/** Several fields of a name as one value: joined, as the name wants it. */
export const joined = (headers: Headers, isWanted: (name: string) => boolean): Record<string, string> => {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, raw] of headers) {
    if (!isWanted(name)) continue
    const value = textOfValue(raw)
    const before = fields[name]
    fields[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`
  }
  return fields
}

const encoder = new TextEncoder()

/** Every field for itself; values as bytes, which every value has. */
export const headerMap = (pseudo: ReadonlyArray<readonly [string, string]>, headers: Headers | undefined): HeaderMap =>
  create(HeaderMapSchema, {
    headers: [
      ...pseudo.map(([key, value]) => ({ key, rawValue: encoder.encode(value) })),
      ...[...(headers ?? [])].map(([key, value]) => ({
        key,
        rawValue: Uint8Array.from(value, (char) => char.charCodeAt(0)),
      })),
    ],
  })

/** What a service says beside its decision, for expressions. */
export const notesOf = (said: JsonObject | undefined): Record<string, CelValue> | undefined =>
  said === undefined ? undefined : (said as Record<string, CelValue>)
