/**
 * What a request is by its head alone: a card, a call in one of three bindings, or none of ours. Which version is
 * spoken is said by the gRPC service, else by `A2A-Version`, else by how methods and paths are spelled.
 */
import { isGrpc } from "../http/grpc.ts"
import { readPath, type Resource } from "./binding/rest.ts"
import { type Fault, fault } from "./Fault.ts"
import { grpcService, ofMethod, ofRpc, type Operation, type Version } from "./operation.ts"
import type { Asked } from "./version.ts"

export interface Head {
  readonly method: string
  readonly path: string
  readonly contentType: string | undefined
}

/** Where cards are found; the second is what agents of before 0.3 have. */
export const cardPaths = ["/.well-known/agent-card.json", "/.well-known/agent.json"] as const

export type Seen =
  | { readonly _tag: "Card"; /** What stands before the well-known part. */ readonly base: string }
  /** Where the keys are that the gateway signs cards with. */
  | { readonly _tag: "Keys" }
  | { readonly _tag: "Rpc" }
  | { readonly _tag: "Rest"; readonly resource: Resource }
  | {
      readonly _tag: "Grpc"
      readonly version: Version
      readonly rpc: string
      readonly operation: Operation | undefined
    }
  | { readonly _tag: "Other" }

export const keysPath = "/.well-known/jwks.json"

const keys: Seen = { _tag: "Keys" }
const rpc: Seen = { _tag: "Rpc" }
const other: Seen = { _tag: "Other" }

const cardBase = (path: string): string | undefined => {
  for (const suffix of cardPaths) if (path.endsWith(suffix)) return path.slice(0, -suffix.length)
  return undefined
}

const grpcPath = /^\/([A-Za-z0-9_.]+)\/([A-Za-z0-9_]+)$/

export const detect = ({ contentType, method, path }: Head): Seen => {
  if (method === "GET" || method === "HEAD") {
    const base = cardBase(path)
    if (base !== undefined) return { _tag: "Card", base }
    if (path.endsWith(keysPath)) return keys
  }
  if (method === "POST" && isGrpc(contentType)) {
    const [, service, name = ""] = grpcPath.exec(path) ?? []
    const version = service === grpcService["1.0"] ? "1.0" : service === grpcService["0.3"] ? "0.3" : undefined
    return version === undefined ? other : { _tag: "Grpc", version, rpc: name, operation: ofRpc(version, name) }
  }
  const resource = readPath(method, path)
  if (resource !== undefined) return { _tag: "Rest", resource }
  return method === "POST" ? rpc : other
}

export type Judged = { readonly version: Version } | { readonly fault: Fault }

const contradiction = (said: Version): Judged => ({
  fault: fault("VersionNotSupported", `the request says A2A ${said} and is written in another version`),
})
const unknown = (text: string): Judged => ({
  fault: fault("VersionNotSupported", `A2A ${text.slice(0, 32)} is not supported; 1.0 and 0.3 are`),
})

const versionOfMethod = (method: string): Version | undefined =>
  ofMethod("0.3", method) !== undefined || method.includes("/")
    ? "0.3"
    : ofMethod("1.0", method) !== undefined
      ? "1.0"
      : undefined

/** The service says which version it is; whoever names another one besides means something else. */
export const versionOfGrpc = (service: Version, asked: Asked): Judged =>
  asked._tag === "Unknown"
    ? unknown(asked.text)
    : asked._tag === "Known" && asked.version !== service
      ? {
          fault: fault("VersionNotSupported", `the request says A2A ${asked.version} and calls the service of another`),
        }
      : { version: service }

/** Nothing said means 0.3, unless the method is spelled as only 1.0 does. */
export const versionOfRpc = (method: string, asked: Asked): Judged => {
  if (asked._tag === "Unknown") return unknown(asked.text)
  const spelled = versionOfMethod(method)
  if (asked._tag === "Unsaid") return { version: spelled ?? "0.3" }
  return spelled === undefined || spelled === asked.version ? { version: asked.version } : contradiction(asked.version)
}

/** The `/v1` of 0.3 may as well be the end of a base, and then the header decides. */
export const versionOfRest = ({ isLegacy, operation }: Resource, path: string, asked: Asked): Judged => {
  if (asked._tag === "Unknown") return unknown(asked.text)
  if (asked._tag === "Unsaid") return { version: isLegacy ? "0.3" : "1.0" }
  if (asked.version === "0.3" && !isLegacy) return contradiction("0.3")
  if (asked.version === "1.0" && operation === "GetExtendedAgentCard" && path.endsWith("/v1/card")) {
    return contradiction("1.0")
  }
  return { version: asked.version }
}
