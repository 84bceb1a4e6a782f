/** How far the gateway speaks for an agent, and what it vouches for. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { Document } from "./Document.ts"

export const A2aBinding = Schema.Literals(["JSONRPC", "HTTP+JSON", "GRPC"])
export const A2aVersion = Schema.Literals(["1.0", "0.3"])

/** One way of speaking to the agent. */
export const A2aInterface = Schema.Struct({
  binding: A2aBinding,
  version: A2aVersion,
  /** In front of the protocol's own paths; gRPC has none. */
  path: Schema.optionalKey(Schema.String),
  /** Another place than the backend, by the backend's own policies. */
  target: Schema.optionalKey(Schema.Struct({ host: Schema.NonEmptyString, port: Schema.Port })),
  /** To be said in every call. */
  tenant: Schema.optionalKey(Schema.NonEmptyString),
})
export type A2aInterface = typeof A2aInterface.Type

/** Which cards are believed, and how those that are handed out are vouched for. */
export const A2aCard = Schema.Struct({
  verify: Schema.optionalKey(Schema.Struct({ mode: Schema.Literals(["ifPresent", "required"]), keys: Document })),
  sign: Schema.optionalKey(Schema.Struct({ key: Secret, keyId: Schema.optionalKey(Schema.NonEmptyString) })),
})
export type A2aCard = typeof A2aCard.Type

/** Models or MCP servers as an agent. */
export const A2aPublished = Schema.Struct({
  name: Schema.NonEmptyString,
  description: Schema.optionalKey(Schema.NonEmptyString),
  version: Schema.optionalKey(Schema.NonEmptyString),
  /** The model that is asked; absent: the one that the backend has. */
  model: Schema.optionalKey(Schema.NonEmptyString),
  /** What a model is told before anything else. */
  instructions: Schema.optionalKey(Schema.NonEmptyString),
  /** What a model is said to be good at; those of servers are their tools. */
  skills: Schema.Array(
    Schema.Struct({
      id: Schema.NonEmptyString,
      name: Schema.optionalKey(Schema.NonEmptyString),
      description: Schema.optionalKey(Schema.NonEmptyString),
      tags: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
      examples: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
    }),
  ),
})
export type A2aPublished = typeof A2aPublished.Type

export const a2aSpoken = {
  /** The name of the agent, where it is one of several behind one endpoint. */
  agent: Schema.optionalKey(Schema.NonEmptyString),
  card: Schema.optionalKey(A2aCard),
  /** Present: what is behind it is no agent, and the gateway makes it one. */
  publish: Schema.optionalKey(A2aPublished),
  /** Present: clients may speak any binding and version, whatever the agent speaks. */
  bridge: Schema.optionalKey(
    Schema.Struct({
      /** Where the agent's card is, when it is not at the usual place. */
      cardPath: Schema.optionalKey(Schema.NonEmptyString),
      /** Empty: what the agent's card says. */
      interfaces: Schema.Array(A2aInterface),
      /** Which bindings the card shows to clients; absent: those a client can reach where it found the card. */
      offers: Schema.optionalKey(Schema.NonEmptyArray(A2aBinding)),
    }),
  ),
}
/** As the gateway itself speaks to an agent that it calls. */
export const A2aSpoken = Schema.TaggedStruct("A2a", a2aSpoken)
