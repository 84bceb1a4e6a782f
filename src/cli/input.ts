/** Where the configuration comes from, by flags and environment. */
import { readFileSync } from "node:fs"
import { embedded } from "../embedded/config.ts"

export interface Input {
  /** Name of the file, for messages. */
  readonly path: string
  /** Present when there is no file to watch. */
  readonly text: string | undefined
  readonly isEmbedded: boolean
}

const static_ = /^(?:-|\/dev\/stdin|\/dev\/fd\/\d+|\/proc\/self\/fd\/\d+)$/

export const inputOf = (
  asked: { readonly file: string | undefined; readonly text: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Input | { readonly _tag: "Missing"; readonly message: string } => {
  if (asked.text !== undefined) return { path: "<config>", text: asked.text, isEmbedded: false }
  const file = asked.file ?? (env["LOCAL_XDS_PATH"] === "" ? undefined : env["LOCAL_XDS_PATH"])
  if (file !== undefined) {
    if (!static_.test(file)) return { path: file, text: undefined, isEmbedded: false }
    return {
      path: file === "-" ? "<stdin>" : file,
      text: readFileSync(file === "-" ? 0 : file, "utf8"),
      isEmbedded: false,
    }
  }
  if (env["KUBERNETES_SERVICE_HOST"] !== undefined) {
    return {
      _tag: "Missing",
      message: "a configuration is required in Kubernetes: mount one and pass it with --file, or set LOCAL_XDS_PATH",
    }
  }
  return { path: "<embedded>", text: embedded, isEmbedded: true }
}
