/** The question for one page of a list, asked by the gateway itself: nobody hears of its progress. */
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import type { Call, Caller } from "./McpTarget.ts"
import { silent } from "./silent.ts"

export const pageCall = (method: string, caller: Caller, cursor: Json | undefined): Call => ({
  caller,
  method,
  params: cursor === undefined ? undefined : Fields.of({ cursor }),
  wantsProgress: false,
  logLevel: undefined,
  paramHeaders: [],
  events: silent,
})
