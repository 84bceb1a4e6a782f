/** Failures in the words of the format that the client speaks. */
import { Headers } from "../../../protocols/http/headers.ts"
import { eventEncoder, framingOf } from "../../../protocols/llm/framing.ts"
import { errorHeaders, streamError, writeError } from "../../../protocols/llm/errors.ts"
import { kindOfStatus, type LlmError } from "../../../protocols/llm/LlmError.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { message, status, type Refusal } from "../../Refusal.ts"

/** Where nothing is known of the client it is told in the most common words. */
const usual: Format = "openaiChat"

/** The end of a stream that failed. */
export const errorEnd = (format: Format | undefined, error: LlmError): Uint8Array =>
  eventEncoder(framingOf(format)).events([streamError(format ?? usual, error)])

export const errorReply = (
  format: Format | undefined,
  error: LlmError,
  headers: ReadonlyArray<string> = [],
  origin: Reply["origin"] = "gateway",
): Reply => ({
  status: error.status,
  headers: new Headers(["content-type", "application/json", ...errorHeaders(format ?? usual, error), ...headers]),
  body: Body.text(JSON.stringify(writeError(format ?? usual, error))),
  origin,
})

/** A refusal of the gateway's own, as an error of a model. */
export const ofRefusal = (refusal: Refusal): LlmError => {
  const code = status(refusal)
  return { kind: kindOfStatus(code), status: code, message: message(refusal) }
}

export const invalid = (text: string, code?: string): LlmError => ({
  kind: "invalidRequest",
  status: 400,
  message: text,
  code,
})
