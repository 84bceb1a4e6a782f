/** Gemini's generateContent, as Google's own endpoint and Vertex speak it. */
import { toolNames } from "../toolNames.ts"
import type { ClientHalf, UpstreamHalf } from "./Format.ts"
import { readReply } from "./gemini/readReply.ts"
import { readRequest } from "./gemini/readRequest.ts"
import { streamReader } from "./gemini/streamReader.ts"
import { streamWriter } from "./gemini/streamWriter.ts"
import { writeReply } from "./gemini/writeReply.ts"
import { writeRequest } from "./gemini/writeRequest.ts"

export const gemini: ClientHalf & UpstreamHalf = {
  format: "gemini",
  vendor: "google",
  readRequest,
  writeReply,
  streamWriter,
  // Names begin with a letter or an underscore there.
  toolNames: () => toolNames(64, /[^A-Za-z0-9_.:-]|^[^A-Za-z_]/g),
  writeRequest,
  readReply,
  streamReader,
}
