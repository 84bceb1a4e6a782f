/** The heads of questions and answers, as the other side words them. */
import type { Dialed } from "../../../../protocols/a2a/operation.ts"
import { extensionsHeader, legacyExtensionsHeader, versionHeader } from "../../../../protocols/a2a/version.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Request } from "../../../Exchange.ts"
import type { Ear, Put, Voice } from "../Speech.ts"

/** Fields that belong to one hop or one wording, and are said anew on the other side. */
const ofOneSide: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "te",
  "trailer",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "expect",
  "if-none-match",
  "if-modified-since",
  "range",
  versionHeader,
  extensionsHeader,
  legacyExtensionsHeader,
])

const extensionsField = ({ binding, version }: Dialed): string =>
  version === "0.3" && binding !== "GRPC" ? legacyExtensionsHeader : extensionsHeader

const extensionsIn = (headers: Headers): string | undefined =>
  headers.get(extensionsHeader) ?? headers.get(legacyExtensionsHeader)

export const requestFor = (from: Request, ear: Ear, put: Put): Request => {
  const request = from.copy()
  const flat: Array<string> = []
  for (const [name, value] of from.headers) if (!ofOneSide.has(name)) flat.push(name, value)
  flat.push(...put.headers, versionHeader, ear.dialed.version)
  const extensions = extensionsIn(from.headers)
  if (extensions !== undefined) flat.push(extensionsField(ear.dialed), extensions)
  request.method = put.method
  request.path = put.path
  request.query = put.query
  request.version = ear.dialed.binding === "GRPC" ? "2" : "1.1"
  request.headers = new Headers(flat)
  request.body = put.bytes === undefined ? Body.empty : Body.bytes(put.bytes)
  request.captured = undefined
  return request
}

/** Fields of an agent's answer that say something of its own bytes or wording. */
const ofTheAnswer = (name: string): boolean =>
  ofOneSide.has(name) ||
  name.startsWith("grpc-") ||
  name === "connection" ||
  name === "keep-alive" ||
  name === "cache-control" ||
  name === "x-accel-buffering" ||
  name === "etag" ||
  name === "last-modified" ||
  name === "vary"

export const headersFor = (voice: Voice, own: ReadonlyArray<string>, from: Headers | undefined): Headers => {
  const flat = [...own]
  if (from === undefined) return new Headers(flat)
  for (const [name, value] of from) if (!ofTheAnswer(name)) flat.push(name, value)
  const extensions = extensionsIn(from)
  if (extensions !== undefined) flat.push(extensionsField(voice.dialed), extensions)
  return new Headers(flat)
}
