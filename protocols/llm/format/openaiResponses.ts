/** OpenAI Responses. */
import { toolNames } from "../toolNames.ts"
import type { ClientHalf, UpstreamHalf } from "./Format.ts"
import { readReply } from "./openaiResponses/readReply.ts"
import { readRequest } from "./openaiResponses/readRequest.ts"
import { streamReader } from "./openaiResponses/streamReader.ts"
import { streamWriter } from "./openaiResponses/streamWriter.ts"
import { writeReply } from "./openaiResponses/writeReply.ts"
import { writeRequest } from "./openaiResponses/writeRequest.ts"

export const openaiResponses: ClientHalf & UpstreamHalf = {
  format: "openaiResponses",
  vendor: "openai",
  readRequest,
  writeReply,
  streamWriter,
  toolNames: () => toolNames(64, /[^A-Za-z0-9_-]/g),
  writeRequest,
  readReply,
  streamReader,
}
