/** What went wrong at a provider, whichever way it says so. */
import { at, isObject, numberOf, textOf } from "../../../protocols/llm/Json.ts"
import { kindOfStatus, type LlmError } from "../../../protocols/llm/LlmError.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"

const MESSAGE_CHARS_MAX = 2_000

const decoder = new TextDecoder()

const parsed = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    // Google answers some failures with a list of one.
    return Array.isArray(value) ? value[0] : value
  } catch {
    return undefined
  }
}

export const errorOf = (_upstream: Format | undefined, bytes: Uint8Array, status: number): LlmError => {
  const text = decoder.decode(bytes)
  const body = parsed(text)
  const error = at(body, "error")
  const message =
    textOf(at(error, "message")) ??
    textOf(error) ??
    textOf(at(body, "message")) ??
    textOf(at(body, "Message")) ??
    textOf(at(body, "detail")) ??
    (isObject(error) ? JSON.stringify(error) : undefined) ??
    (text.trim() === "" ? `the provider answered ${status}` : text)
  const code = textOf(at(error, "code")) ?? textOf(at(error, "status")) ?? numberOf(at(error, "code"))?.toString()
  return {
    kind: kindOfStatus(status),
    status,
    message: message.slice(0, MESSAGE_CHARS_MAX),
    code,
    param: textOf(at(error, "param")),
  }
}
