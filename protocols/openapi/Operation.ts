/** One operation of a document: the tool it is, and how a call of the tool becomes a request. */
import type { Json, JsonMap } from "./json.ts"

export type Place = "path" | "query" | "header" | "cookie"
export type ParameterStyle =
  | "simple"
  | "label"
  | "matrix"
  | "form"
  | "spaceDelimited"
  | "pipeDelimited"
  | "deepObject"
  /** The whole value, written as JSON. */
  | "json"

export interface Parameter {
  readonly name: string
  readonly place: Place
  readonly style: ParameterStyle
  readonly explode: boolean
  readonly allowReserved: boolean
  readonly required: boolean
}

export type BodyKind = "json" | "form" | "multipart" | "text" | "bytes"

export interface OperationBody {
  readonly mediaType: string
  readonly kind: BodyKind
  readonly required: boolean
  /** Media types of the parts of a form, by property, where they are said. */
  readonly partTypes: Readonly<Record<string, string>>
}

export interface Operation {
  readonly name: string
  readonly method: string
  /** With `{placeholders}`, without the prefix. */
  readonly path: string
  readonly prefix: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly body: OperationBody | undefined
  readonly tags: ReadonlyArray<string>
  /** Whether the document asks for credentials. */
  readonly isSecured: boolean
  /** As `tools/list` shows it. */
  readonly tool: JsonMap & { readonly name: string; readonly inputSchema: Json }
}
