/** Bedrock's Converse and ConverseStream. */
import { toolNames } from "../toolNames.ts"
import { readReply } from "./bedrockConverse/readReply.ts"
import { readRequest } from "./bedrockConverse/readRequest.ts"
import { streamReader } from "./bedrockConverse/streamReader.ts"
import { streamWriter } from "./bedrockConverse/streamWriter.ts"
import { writeReply } from "./bedrockConverse/writeReply.ts"
import { writeRequest } from "./bedrockConverse/writeRequest.ts"
import type { ClientHalf, UpstreamHalf } from "./Format.ts"

export const bedrockConverse: ClientHalf & UpstreamHalf = {
  format: "bedrockConverse",
  vendor: "anthropic",
  readRequest,
  writeReply,
  streamWriter,
  toolNames: () => toolNames(64, /[^A-Za-z0-9_-]/g),
  writeRequest,
  readReply,
  streamReader,
}
