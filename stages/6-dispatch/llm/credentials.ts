/** Each vendor looks for the credential in another header; clients show it where their own SDK thinks it belongs. */
import type { BackendAuth } from "../../../ir/policy/BackendAuth.ts"
import type { Request } from "../../Exchange.ts"
import type { VendorTraits } from "./vendor/VendorCall.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"

const keyHeaders = ["x-api-key", "x-goog-api-key", "api-key"] as const

/** Google's SDKs can put a key into the query. */
const withoutKey = (request: Request): string | undefined => {
  const { query } = request
  if (query === undefined || !/(?:^|&)key=/.test(query)) return undefined
  const parts = query.split("&")
  const key = parts.find((part) => part.startsWith("key="))
  const kept = parts.filter((part) => !part.startsWith("key="))
  request.query = kept.length === 0 ? undefined : kept.join("&")
  if (key === undefined) return undefined
  try {
    return decodeURIComponent(key.slice(4))
  } catch {
    return undefined
  }
}

/** A signature is good for the address it was made for, which was ours; whoever made it is nobody else's business. */
const withoutSignature = ({ headers }: Request): void => {
  if (headers.get("authorization")?.startsWith("AWS4-") !== true) return
  for (const name of ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]) {
    headers.remove(name)
  }
}

/** Clients in browsers can set no header of a WebSocket but this one, so OpenAI's put their key there. */
const protocolKey = "openai-insecure-api-key."

const withoutProtocolKey = ({ headers }: Request): void => {
  const offered = headers.get("sec-websocket-protocol")
  if (offered?.includes(protocolKey) !== true) return
  const kept = offered.split(",").filter((one) => !one.trim().startsWith(protocolKey))
  if (kept.length === 0) headers.remove("sec-websocket-protocol")
  else headers.set("sec-websocket-protocol", kept.join(",").trim())
}

/**
 * Takes the client's credential from wherever it stands. Where the gateway has a credential of its own it goes no
 * further; otherwise it is the one that is shown.
 */
export const takeIn = (request: Request, auth: BackendAuth | undefined): void => {
  const { headers } = request
  withoutSignature(request)
  let found = withoutKey(request)
  for (const name of keyHeaders) {
    const value = headers.get(name)
    if (value === undefined) continue
    found ??= value
    headers.remove(name)
  }
  if (auth?.auth !== undefined) {
    if (auth.auth._tag === "Passthrough") return
    headers.remove("authorization")
    return withoutProtocolKey(request)
  }
  if (found !== undefined && found !== "" && !headers.has("authorization")) {
    headers.set("authorization", `Bearer ${found}`)
  }
}

/** Whether configuration says where the credential goes. */
const isPlaced = (auth: BackendAuth | undefined): boolean => {
  const kind = auth?.auth
  if (kind === undefined || !("location" in kind)) return false
  const { location } = kind
  return !(location._tag === "Header" && location.name === "authorization")
}

/** Moves a bearer credential to where the vendor looks for it. */
export const relocating = (
  traits: VendorTraits,
  auth: BackendAuth | undefined,
): ((request: Request, format: Format | undefined) => void) => {
  if (isPlaced(auth)) return () => {}
  return ({ headers }, format) => {
    const shown = headers.get("authorization")
    const token = shown === undefined ? undefined : /^Bearer +(\S+)$/i.exec(shown)?.[1]
    if (token === undefined) return
    const name = traits.credential(format, token)
    if (name === "authorization") return
    headers.remove("authorization")
    headers.set(name, token)
  }
}
