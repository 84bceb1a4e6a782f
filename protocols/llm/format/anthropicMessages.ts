/** Anthropic Messages. */
import { toolNames } from "../toolNames.ts"
import { readReply } from "./anthropicMessages/readReply.ts"
import { readRequest } from "./anthropicMessages/readRequest.ts"
import { streamReader } from "./anthropicMessages/streamReader.ts"
import { streamWriter } from "./anthropicMessages/streamWriter.ts"
import { writeReply } from "./anthropicMessages/writeReply.ts"
import { writeRequest } from "./anthropicMessages/writeRequest.ts"
import type { ClientHalf, UpstreamHalf } from "./Format.ts"

export const anthropicMessages: ClientHalf & UpstreamHalf = {
  format: "anthropicMessages",
  vendor: "anthropic",
  readRequest,
  writeReply,
  streamWriter,
  toolNames: () => toolNames(128, /[^A-Za-z0-9_-]/g),
  writeRequest,
  readReply,
  streamReader,
}
