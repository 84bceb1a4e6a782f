/** The arguments of a call as the request that an operation asks for (RFC 6570 as OpenAPI uses it). */
import { join } from "../bytes.ts"
import { fromBase64 } from "../base64.ts"
import { at, isList, isMap, type Json, mapAt } from "./json.ts"
import type { Operation, OperationBody, Parameter } from "./Operation.ts"

/** What is wrong with the arguments, in words for whoever wrote them. */
export class WrongArguments extends Error {}

export interface OperationRequest {
  readonly method: string
  readonly path: string
  readonly query: string | undefined
  /** Name and value in turn. */
  readonly headers: ReadonlyArray<string>
  readonly body: Uint8Array | undefined
}

const encoder = new TextEncoder()

const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** Reserved letters stay, except those that would end the value or the query. */
const lightly = (text: string): string =>
  encodeURIComponent(text).replaceAll(/%(?:3A|2F|3F|5B|5D|40|21|24|27|28|29|2A|2C|3B)/g, decodeURIComponent)

const scalar = (value: Json): string =>
  typeof value === "string"
    ? value
    : value === null
      ? ""
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value)

type Pair = readonly [string, string]

const pairs = (value: { readonly [name: string]: Json }): ReadonlyArray<Pair> =>
  Object.entries(value).flatMap(([name, one]): ReadonlyArray<Pair> => (one === null ? [] : [[name, scalar(one)]]))

const flat = (value: Json): ReadonlyArray<string> => {
  if (isList(value)) return value.map(scalar)
  return isMap(value) ? pairs(value).flat() : [scalar(value)]
}

const inPath = ({ explode, name, style }: Parameter, value: Json): string => {
  const put = (list: ReadonlyArray<string>, separator: string) => list.map(encoded).join(separator)
  const members = isMap(value) ? pairs(value).map(([key, one]) => `${encoded(key)}=${encoded(one)}`) : undefined
  switch (style) {
    case "label":
      return `.${explode ? (members?.join(".") ?? put(flat(value), ".")) : put(flat(value), ",")}`
    case "matrix":
      if (!explode) return `;${encoded(name)}=${put(flat(value), ",")}`
      return (members ?? flat(value).map((one) => `${encoded(name)}=${encoded(one)}`)).map((one) => `;${one}`).join("")
    case "json":
      return encoded(JSON.stringify(value))
    default:
      return explode && members !== undefined ? members.join(",") : put(flat(value), ",")
  }
}

const deepPairs = (name: string, value: Json): ReadonlyArray<Pair> => {
  if (isMap(value)) return Object.entries(value).flatMap(([key, one]) => deepPairs(`${name}[${key}]`, one))
  if (isList(value)) return value.flatMap((one) => deepPairs(name, one))
  return value === null ? [] : [[name, scalar(value)]]
}

const separators = { form: ",", spaceDelimited: "%20", pipeDelimited: "%7C" } as const

const inQuery = ({ allowReserved, explode, name, style }: Parameter, value: Json): ReadonlyArray<string> => {
  const text = allowReserved ? lightly : encoded
  const one = ([key, word]: Pair): string => `${encoded(key)}=${text(word)}`
  if (style === "json") return [one([name, JSON.stringify(value)])]
  if (style === "deepObject") {
    // The brackets are part of the convention, and every reader of it takes them as they are.
    return deepPairs(name, value).map(
      ([key, word]) =>
        `${key
          .split(/(?<=[[\]])|(?=[[\]])/)
          .map((part) => (/^[[\]]$/.test(part) ? part : encoded(part)))
          .join("")}=${text(word)}`,
    )
  }
  if (explode && isList(value)) return value.map((word) => one([name, scalar(word)]))
  if (explode && isMap(value)) return pairs(value).map(one)
  const separator = separators[style as keyof typeof separators] ?? ","
  return [`${encoded(name)}=${flat(value).map(text).join(separator)}`]
}

const headerText = (name: string, text: string): string => {
  // oxlint-disable-next-line no-control-regex -- these are exactly what a field may not hold
  if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) throw new WrongArguments(`the header ${name} cannot hold such a value`)
  return text.trim()
}

const inHeader = ({ explode, name, style }: Parameter, value: Json): string => {
  if (style === "json") return headerText(name, JSON.stringify(value))
  const members = explode && isMap(value) ? pairs(value).map((pair) => pair.join("=")) : flat(value)
  return headerText(name, members.join(","))
}

const inCookie = ({ name, style }: Parameter, value: Json): string =>
  `${name}=${encoded(style === "json" ? JSON.stringify(value) : flat(value).join(","))}`

/** Segments that a reader of the path may take for a way up. */
const isWayUp = (segment: string): boolean => /^(?:\.|%2e){1,2}$/i.test(segment)

/** `bodyText` is the body in the characters it was written in, where those are to survive. */
export const requestOf = (
  operation: Operation,
  args: Json | undefined,
  boundary: string,
  bodyText?: string,
): OperationRequest => {
  const headers: Array<string> = []
  const query: Array<string> = []
  const cookies: Array<string> = []
  let { path } = operation
  for (const parameter of operation.parameters) {
    const { name, place, required } = parameter
    const value = at(at(args, place), name)
    if (value === undefined || (value === null && place !== "query")) {
      if (required) throw new WrongArguments(`\`${place}.${name}\` is required`)
      continue
    }
    switch (place) {
      case "path":
        path = path.replaceAll(`{${name}}`, () => inPath(parameter, value))
        break
      case "query":
        query.push(...(value === null ? [encoded(name)] : inQuery(parameter, value)))
        break
      case "header":
        headers.push(name.toLowerCase(), inHeader(parameter, value))
        break
      case "cookie":
        cookies.push(inCookie(parameter, value))
    }
  }
  for (const [i, segment] of path.split("/").entries()) {
    if (isWayUp(segment)) throw new WrongArguments("a path parameter cannot be `.` or `..`")
    // An empty value would ask another operation: that of the collection in place of that of one thing.
    if (segment === "" && i > 0 && operation.path.split("/")[i]?.includes("{") === true) {
      throw new WrongArguments("a path parameter cannot be empty")
    }
  }
  if (cookies.length > 0) headers.push("cookie", headerText("cookie", cookies.join("; ")))
  const body = bodyOf(operation.body, at(args, "body"), boundary, bodyText)
  if (body !== undefined) headers.push("content-type", body.type)
  return {
    method: operation.method,
    path: `${operation.prefix}${path}`,
    query: query.length === 0 ? undefined : query.join("&"),
    headers,
    body: body?.bytes,
  }
}

interface WrittenBody {
  readonly type: string
  readonly bytes: Uint8Array
}

const bodyOf = (
  spec: OperationBody | undefined,
  value: Json | undefined,
  boundary: string,
  text?: string,
): WrittenBody | undefined => {
  if (spec === undefined) return undefined
  if (value === undefined) {
    if (spec.required) throw new WrongArguments("`body` is required")
    return undefined
  }
  const { kind, mediaType } = spec
  switch (kind) {
    case "json":
      return { type: mediaType, bytes: encoder.encode(text ?? JSON.stringify(value)) }
    case "form":
      return { type: mediaType, bytes: encoder.encode(formOf(spec, value)) }
    case "multipart":
      return { type: `multipart/form-data; boundary=${boundary}`, bytes: multipartOf(spec, value, boundary) }
    case "text":
      return { type: mediaType, bytes: encoder.encode(scalar(value)) }
    case "bytes":
      return { type: mediaType, bytes: bytesOf(value) }
  }
}

const membersOf = (value: Json): ReadonlyArray<readonly [string, Json]> => {
  if (!isMap(value)) throw new WrongArguments("`body` must be an object")
  return Object.entries(value).flatMap(([name, one]): ReadonlyArray<readonly [string, Json]> =>
    isList(one) ? one.map((each) => [name, each] as const) : [[name, one]],
  )
}

const formOf = (spec: OperationBody, value: Json): string =>
  membersOf(value)
    .filter(([, one]) => one !== null)
    .map(([name, one]) => `${encoded(name)}=${encoded(isJson(spec, name) ? JSON.stringify(one) : scalar(one))}`)
    .join("&")

const isJson = ({ partTypes }: OperationBody, name: string): boolean => /\bjson\b/.test(partTypes[name] ?? "")

/** Files are written as base64; where the text is none, it is what it says. */
const bytesOf = (value: Json): Uint8Array => {
  if (typeof value !== "string") throw new WrongArguments("the content of a file must be a base64 text")
  try {
    return fromBase64(value)
  } catch {
    throw new WrongArguments("the content of a file must be a base64 text")
  }
}

const quoted = (text: string): string =>
  text.replaceAll(/["\r\n]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)

const multipartOf = (spec: OperationBody, value: Json, boundary: string): Uint8Array => {
  const pieces: Array<Uint8Array> = []
  for (const [name, one] of membersOf(value)) {
    if (one === null) continue
    const type = spec.partTypes[name]
    const isFile = type !== undefined && !/^text\/|\bjson\b/.test(type)
    const isStructure = typeof one === "object"
    const said = type ?? (isStructure ? "application/json" : undefined)
    const head = [
      `--${boundary}`,
      `content-disposition: form-data; name="${quoted(name)}"${isFile ? `; filename="${quoted(name)}"` : ""}`,
      ...(said === undefined ? [] : [`content-type: ${said}`]),
      "",
      "",
    ].join("\r\n")
    pieces.push(
      encoder.encode(head),
      isFile ? bytesOf(one) : encoder.encode(isStructure ? JSON.stringify(one) : scalar(one)),
      encoder.encode("\r\n"),
    )
  }
  pieces.push(encoder.encode(`--${boundary}--\r\n`))
  return join(pieces)
}

/** Which groups of arguments an operation takes; others were meant for another tool. */
export const unknownArguments = ({ tool }: Operation, args: Json | undefined): ReadonlyArray<string> => {
  const known = mapAt(tool.inputSchema, "properties")
  return isMap(args) ? Object.keys(args).filter((name) => !Object.hasOwn(known, name)) : []
}
