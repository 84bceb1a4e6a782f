/** Models that are named by the path. */

export interface PathModel {
  readonly model: string
  /** Where the name stands in the path. */
  readonly start: number
  readonly end: number
}

const forms = [
  /\/models\/([^/]+(?:%2[fF][^/]*)*):(?:rawPredict|streamRawPredict|generateContent|streamGenerateContent|countTokens)$/d,
  /\/tunedModels\/([^/]+):(?:generateContent|streamGenerateContent|countTokens)$/d,
  /\/model\/([^/]+)\/(?:invoke|invoke-with-response-stream|converse|converse-stream|count-tokens)$/d,
  /\/openai\/deployments\/([^/]+)\//d,
]

/** A name that could lead elsewhere in another path is no name. */
const isUnsafe = (model: string): boolean =>
  model
    .split("/")
    .some((part) => part === "" || part === "." || part === ".." || /[\\%?#<>"`{}|^\s\u0000-\u001f\u007f]/.test(part))

export const pathModel = (path: string): PathModel | undefined => {
  for (const form of forms) {
    const found = form.exec(path)
    const span = found?.indices?.[1]
    if (found === null || span === undefined) continue
    try {
      const model = decodeURIComponent(found[1] as string)
      return isUnsafe(model) ? undefined : { model, start: span[0], end: span[1] }
    } catch {
      return undefined
    }
  }
  return undefined
}

const streamingEnds = [
  ":streamRawPredict",
  ":streamGenerateContent",
  "/invoke-with-response-stream",
  "/converse-stream",
]

export const isStreamingPath = (path: string): boolean => streamingEnds.some((end) => path.endsWith(end))
