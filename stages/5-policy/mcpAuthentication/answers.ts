/** What clients of MCP are answered beside what they ask their servers; pages of other origins may read it. */
import type * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { answer, type Verdict } from "../Step.ts"

const cors: ReadonlyArray<string> = [
  "access-control-allow-origin",
  "*",
  "access-control-allow-methods",
  "GET, POST, OPTIONS",
  "access-control-allow-headers",
  "authorization, content-type, mcp-protocol-version",
]

export const reply = (status: number, headers: ReadonlyArray<string>, body: Body.Body = Body.empty): Reply => ({
  status,
  headers: new Headers([...headers, ...cors]),
  body,
  origin: "gateway",
})

export const json = (status: number, value: unknown, headers: ReadonlyArray<string> = []): Reply =>
  reply(status, ["content-type", "application/json", ...headers], Body.text(JSON.stringify(value)))

export const error = (status: number, code: string, description: string): Effect.Effect<Verdict> =>
  answer(json(status, { error: code, error_description: description }))

export const notAllowed = (methods: string): Effect.Effect<Verdict> => answer(reply(405, ["allow", methods]))
