/** Where the configuration comes from, by flags and environment. */
import { readFileSync } from "node:fs"
import { format } from "../config/ConfigIssue.ts"
import { textIn } from "../config/local/utf8.ts"
import { embeddedFor } from "../embedded/config.ts"

export interface Input {
  /** Name of the file, for messages. */
  readonly path: string
  /** Present when there is no file to watch. */
  readonly text: string | undefined
  readonly isEmbedded: boolean
}

export interface NoInput {
  readonly _tag: "NoInput"
  readonly message: string
}

/** Can be read only once. */
const readOnce = /^(?:-|\/dev\/stdin|\/dev\/fd\/\d+|\/proc\/self\/fd\/\d+)$/

const noInput = (message: string): NoInput => ({ _tag: "NoInput", message })

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text)

export const inputOf = (
  asked: { readonly file: string | undefined; readonly text: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Input | NoInput => {
  const named = nonEmpty(env["LOCAL_XDS_PATH"])
  if (named !== undefined && (asked.text !== undefined || asked.file !== undefined)) {
    const flag = asked.text === undefined ? "--file" : "--config"
    return noInput(`both ${flag} and LOCAL_XDS_PATH name a configuration; keep one of them`)
  }
  if (asked.text !== undefined) return { path: "<config>", text: asked.text, isEmbedded: false }
  const path = asked.file ?? named
  if (path !== undefined) {
    if (!readOnce.test(path)) return { path, text: undefined, isEmbedded: false }
    const name = path === "-" ? "<stdin>" : path
    try {
      const text = textIn(readFileSync(path === "-" ? 0 : path))
      return typeof text === "string" ? { path: name, text, isEmbedded: false } : noInput(format(text, name))
    } catch (error) {
      return noInput(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (nonEmpty(env["KUBERNETES_SERVICE_HOST"]) !== undefined) {
    return noInput(
      "a configuration is required in Kubernetes: mount one and pass it with --file, or set LOCAL_XDS_PATH",
    )
  }
  return { path: "<embedded>", text: embeddedFor(env), isEmbedded: true }
}
