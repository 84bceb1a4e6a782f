/** `A2A-Version`: major and minor; a patch says nothing, and no header at all says 0.3. */
import type { Version } from "./operation.ts"

export const versionHeader = "a2a-version"
export const extensionsHeader = "a2a-extensions"
export const legacyExtensionsHeader = "x-a2a-extensions"

export type Asked =
  | { readonly _tag: "Unsaid" }
  | { readonly _tag: "Known"; readonly version: Version }
  | { readonly _tag: "Unknown"; readonly text: string }

const unsaid: Asked = { _tag: "Unsaid" }

export const readVersion = (text: string | undefined): Asked => {
  const said = text?.trim() ?? ""
  if (said === "") return unsaid
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})(?:\.\d{1,6})?$/.exec(said) ?? []
  if (major === "1" && minor === "0") return { _tag: "Known", version: "1.0" }
  if (major === "0" && minor === "3") return { _tag: "Known", version: "0.3" }
  return { _tag: "Unknown", text: said }
}

/** What a card says of an interface; cards of 0.3 write a patch, and some write nothing. */
export const cardVersion = (text: string | undefined): Version | undefined => {
  const asked = readVersion(text)
  return asked._tag === "Known" ? asked.version : asked._tag === "Unsaid" ? "0.3" : undefined
}
