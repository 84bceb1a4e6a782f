/** Bedrock's Converse and ConverseStream; no client of ours speaks it. */
import { toolNames } from "../toolNames.ts"
import { readReply } from "./bedrockConverse/readReply.ts"
import { streamReader } from "./bedrockConverse/streamReader.ts"
import { writeRequest } from "./bedrockConverse/writeRequest.ts"
import type { UpstreamHalf } from "./Format.ts"

export const bedrockConverse: UpstreamHalf = {
  format: "bedrockConverse",
  vendor: "anthropic",
  toolNames: () => toolNames(64, /[^A-Za-z0-9_-]/g),
  writeRequest,
  readReply,
  streamReader,
}
