/** Errors of Bedrock: a message, and a type in a header or in the name of an exception. */
import { at, textOf } from "../Json.ts"
import { type ErrorKind, kindOfStatus, type LlmError, statusOfKind } from "../LlmError.ts"

const kinds: Readonly<Record<string, ErrorKind>> = {
  validationexception: "invalidRequest",
  accessdeniedexception: "permission",
  unrecognizedclientexception: "authentication",
  expiredtokenexception: "authentication",
  resourcenotfoundexception: "notFound",
  throttlingexception: "rateLimit",
  servicequotaexceededexception: "rateLimit",
  modelnotreadyexception: "unavailable",
  modeltimeoutexception: "timeout",
  serviceunavailableexception: "unavailable",
  internalserverexception: "internal",
  modelerrorexception: "internal",
  modelstreamerrorexception: "internal",
}

/** @param type of the exception, or the header `x-amzn-errortype`, which may hold more after a colon */
export const readBedrockError = (body: unknown, type: string | undefined, status?: number): LlmError => {
  const code = (type ?? textOf(at(body, "__type")))?.split(":")[0]?.split("#").at(-1)
  const kind =
    kinds[(code ?? "").toLowerCase()] ?? (status === undefined ? ("internal" as const) : kindOfStatus(status))
  return {
    kind,
    status: status ?? statusOfKind(kind),
    message:
      textOf(at(body, "message")) ?? textOf(at(body, "Message")) ?? textOf(body) ?? "the model reported an error",
    code: code === "" ? undefined : code,
  }
}

const exceptions: Readonly<Record<ErrorKind, string>> = {
  invalidRequest: "validationException",
  authentication: "accessDeniedException",
  permission: "accessDeniedException",
  billing: "accessDeniedException",
  notFound: "resourceNotFoundException",
  tooLarge: "validationException",
  rateLimit: "throttlingException",
  overloaded: "serviceUnavailableException",
  timeout: "modelTimeoutException",
  unavailable: "serviceUnavailableException",
  internal: "internalServerException",
}
/** In a stream the interface knows fewer. */
const inStreams: ReadonlySet<string> = new Set([
  "internalServerException",
  "modelStreamErrorException",
  "serviceUnavailableException",
  "throttlingException",
  "validationException",
])

/** The exception that ends a stream. */
export const bedrockException = ({ kind }: LlmError): string => {
  const exception = exceptions[kind]
  return inStreams.has(exception) ? exception : "modelStreamErrorException"
}

/** The header that names the exception of a whole reply, which the body does not. */
export const bedrockErrorType = ({ kind }: LlmError): string => {
  const exception = exceptions[kind]
  return exception.charAt(0).toUpperCase() + exception.slice(1)
}
