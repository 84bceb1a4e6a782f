/** OpenAI Chat Completions. */
import { toolNames } from "../toolNames.ts"
import type { ClientHalf, UpstreamHalf } from "./Format.ts"
import { readReply } from "./openaiChat/readReply.ts"
import { readRequest } from "./openaiChat/readRequest.ts"
import { streamReader } from "./openaiChat/streamReader.ts"
import { streamWriter } from "./openaiChat/streamWriter.ts"
import { writeReply } from "./openaiChat/writeReply.ts"
import { writeRequest } from "./openaiChat/writeRequest.ts"

export const openaiChat: ClientHalf & UpstreamHalf = {
  format: "openaiChat",
  vendor: "openai",
  readRequest,
  writeReply,
  streamWriter,
  toolNames: () => toolNames(64, /[^A-Za-z0-9_-]/g),
  writeRequest,
  readReply,
  streamReader,
}
