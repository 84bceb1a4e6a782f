/** Every position in which a server's addresses occur, in one table. */
import { asString, type Json, rewriteAt } from "./json.ts"

type Path = ReadonlyArray<string>

const ofContent = (at: Path): ReadonlyArray<Path> => [
  [...at, "uri"],
  [...at, "resource", "uri"],
]

/** What a model is asked about, at a place. */
const ofSampling = (at: Path): ReadonlyArray<Path> => [
  ...ofContent([...at, "messages", "*", "content"]),
  ...ofContent([...at, "messages", "*", "content", "*"]),
]

/** What is asked by a result. */
const asked = ofSampling(["inputRequests", "{}", "params"])

/** In results, by method. */
const results: Readonly<Record<string, ReadonlyArray<Path>>> = {
  "tools/list": [
    ["tools", "*", "_meta", "ui", "resourceUri"],
    ["tools", "*", "_meta", "ui/resourceUri"],
  ],
  "tools/call": [...ofContent(["content", "*"]), ...asked],
  "tasks/result": ofContent(["content", "*"]),
  "tasks/get": ofContent(["result", "content", "*"]),
  "prompts/get": [...ofContent(["messages", "*", "content"]), ...asked],
  "resources/list": [["resources", "*", "uri"]],
  "resources/templates/list": [["resourceTemplates", "*", "uriTemplate"]],
  "resources/read": [["contents", "*", "uri"], ...asked],
}

/** In what a server asks or tells, by method. */
const told: Readonly<Record<string, ReadonlyArray<Path>>> = {
  "notifications/resources/updated": [["uri"]],
  "sampling/createMessage": ofSampling([]),
}

const rewriteAll = (text: Json, paths: ReadonlyArray<Path> | undefined, uri: (uri: string) => string): Json => {
  if (paths === undefined || !/uri/i.test(text)) return text
  const rewrite = (value: Json): Json | undefined => {
    const known = asString(value)
    if (known === undefined) return undefined
    const next = uri(known)
    return next === known ? undefined : JSON.stringify(next)
  }
  let rewritten = text
  for (const path of paths) rewritten = rewriteAt(rewritten, path, rewrite)
  return rewritten
}

export const rewriteResult = (method: string, result: Json, uri: (uri: string) => string): Json =>
  rewriteAll(result, results[method], uri)

export const rewriteTold = (method: string, params: Json, uri: (uri: string) => string): Json =>
  rewriteAll(params, told[method], uri)

/** One item of a list. */
export const rewriteItem = (method: string, item: Json, uri: (uri: string) => string): Json =>
  rewriteAll(
    item,
    results[method]?.map((path) => path.slice(2)),
    uri,
  )

export const rewriteError = (error: Json, uri: (uri: string) => string): Json =>
  rewriteAll(error, [["data", "uri"]], uri)
