/** Replies that are whole at once. */
import { Headers } from "../../../../protocols/http/headers.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import { encodeError, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"

/** `text` may be a body already. */
export const jsonReply = (status: number, text: Json | Body.Body, more: ReadonlyArray<string> = []): Reply => ({
  status,
  headers: new Headers(["content-type", "application/json", ...more]),
  body: typeof text === "string" ? Body.text(text) : text,
  origin: "upstream",
})

/** Of the gateway itself, about a request that goes no further. */
export const errorReply = (
  status: number,
  id: Json | undefined,
  code: number,
  message: string,
  data?: unknown,
  more: ReadonlyArray<string> = [],
): Reply => ({ ...jsonReply(status, encodeError(id, errorOf(code, message, data)), more), origin: "gateway" })

export const textReply = (status: number, text: string, more: ReadonlyArray<string> = []): Reply => ({
  status,
  headers: new Headers(["content-type", "text/plain", ...more]),
  body: Body.text(text),
  origin: "gateway",
})

/** Taken, and nothing to say about it. */
export const accepted = (): Reply => ({
  status: 202,
  headers: new Headers(),
  body: Body.empty,
  origin: "gateway",
})
