/** What may stand in a file of its own: secrets, keys and documents. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Document } from "../../../ir/policy/Document.ts"
import type { Secret } from "../../../ir/Secret.ts"
import type { Path } from "../ConfigIssue.ts"
import { FileName } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"

/** The text itself, or the file that holds it. */
export const FileOrInline = Schema.Union([Schema.String, Schema.Struct({ file: FileName })])
export type FileOrInline = typeof FileOrInline.Type

const Url = Schema.String.check(
  Schema.makeFilter(
    (text: string) => {
      const url = URL.parse(text)
      return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    },
    { message: "expected an http:// or https:// URL" },
  ),
)

/** The text itself, the file that holds it, or where to fetch it. */
export const FileInlineOrRemote = Schema.Union([
  Schema.String,
  Schema.Struct({ file: FileName }),
  Schema.Struct({ url: Url }),
])
export type FileInlineOrRemote = typeof FileInlineOrRemote.Type

/** Keys and secrets are trimmed, because editors end files with a line break. */
export const secret = (source: FileOrInline, path: Path, to: Mapping): Secret | undefined => {
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "file"])
  if (text === undefined) return undefined
  const trimmed = text.trim()
  return trimmed === "" ? to.fail(path, "the secret is empty") : Redacted.make(trimmed)
}

export const document = (source: FileInlineOrRemote, path: Path, to: Mapping): Document | undefined => {
  if (typeof source !== "string" && "url" in source) return { _tag: "Remote", url: source.url }
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "file"])
  return text === undefined ? undefined : text.trim() === "" ? to.fail(path, "is empty") : { _tag: "Inline", text }
}
