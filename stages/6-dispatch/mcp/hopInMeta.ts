/** Headers do not travel through pipes, so what they say of the way of a question is also said in `_meta`. */
import type { Headers } from "../../../protocols/http/headers.ts"
import { withMeta } from "../../../protocols/mcp/envelope.ts"
import type { Fields, Json } from "../../../protocols/mcp/json.ts"
import { tracestateHeader } from "../../../protocols/trace/context.ts"
import type { Exchange } from "../../Exchange.ts"

/** Where `_meta` says what `Via` says. */
const viaKey = "dev.sluice/via"

/** What came in `_meta` counts as if it had come in headers. */
export const adopt = (headers: Headers, meta: Fields): void => {
  const via = meta.string(viaKey)
  if (via !== undefined && via !== "") headers.append("via", via)
  const state = meta.string(tracestateHeader)
  if (state !== undefined && state !== "" && !headers.has(tracestateHeader)) headers.set(tracestateHeader, state)
}

/** Parameters for whoever is spoken to without headers. */
export const inMeta = (params: Fields, exchange: Exchange): Fields => {
  const { hop, request } = exchange
  if (hop === undefined) return params
  const headers = request.headers.copy()
  hop.sign(headers, request.version, exchange.trace !== undefined)
  const members: Record<string, Json> = { [viaKey]: JSON.stringify(headers.all("via").join(", ")) }
  const state = headers.get(tracestateHeader)
  if (state !== undefined) members[tracestateHeader] = JSON.stringify(state)
  return withMeta(params, members)
}
