/**
 * The world around a gateway, as data: who calls it, who answers, what goes wrong and when. Because it is data it can be
 * written by hand, generated, printed, and shrunk to the smallest world in which something fails.
 */
import * as Schema from "effect/Schema"

export const natural = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const Millis = natural(600_000)
const Bytes = natural(1 << 20)

/** What goes wrong with one call, on the side of the server. */
export const Fault = Schema.TaggedUnion({
  /** Its name does not resolve. */
  NoSuchName: {},
  /** It refuses the connection. */
  Refused: {},
  /** Connecting never completes. */
  Unreachable: {},
  /** It reads the request and breaks the connection. */
  ResetBeforeHead: {},
  /** It breaks the connection after so many chunks of its reply. */
  ResetAfter: { chunks: natural(16) },
  /** It reads the request and says nothing. */
  StallBeforeHead: {},
  /** It says nothing more after so many chunks of its reply. */
  StallAfter: { chunks: natural(16) },
  /** It answers something that is not HTTP. */
  Malformed: {},
  /** It answers without having read the body of the request. */
  Deaf: {},
})
export type Fault = typeof Fault.Type

/** How a server answers one call. */
export const Answer = Schema.Struct({
  /** Between the end of the request and the head of the reply. */
  delayMillis: Millis,
  status: natural(599),
  /** The sizes of the pieces of its body. */
  chunks: Schema.Array(Bytes),
  gapMillis: Millis,
  /** Whether it says the length of its body in advance. */
  declared: Schema.Boolean,
  fault: Schema.optionalKey(Fault),
})
export type Answer = typeof Answer.Type

/** A time during which a server is gone: calls in progress break, new ones are refused. */
export const Outage = Schema.Struct({ fromMillis: Millis, forMillis: Millis })
export type Outage = typeof Outage.Type

export const Server = Schema.Struct({
  host: Schema.NonEmptyString,
  port: Schema.Port,
  latencyMillis: Millis,
  /** Used in turn, then from the beginning. */
  answers: Schema.NonEmptyArray(Answer),
  outages: Schema.Array(Outage),
})
export type Server = typeof Server.Type

/** When a client loses interest in a request. */
export const Leaving = Schema.TaggedUnion({
  AfterMillis: { millis: Millis },
  /** Once it has sent so many chunks of its body. */
  AfterUpload: { chunks: natural(16) },
  /** Once it has received so many bytes of the reply's body; 0 stands for its head. */
  AfterReply: { bytes: Bytes },
})
export type Leaving = typeof Leaving.Type

export const Upload = Schema.Struct({
  chunks: Schema.Array(Bytes),
  gapMillis: Millis,
  declared: Schema.Boolean,
})
export type Upload = typeof Upload.Type

export const Request = Schema.Struct({
  method: Schema.NonEmptyString,
  authority: Schema.NonEmptyString,
  path: Schema.NonEmptyString,
  headers: Schema.Array(Schema.Tuple([Schema.NonEmptyString, Schema.String])),
  upload: Schema.optionalKey(Upload),
  leaves: Schema.optionalKey(Leaving),
})
export type Request = typeof Request.Type

export const Client = Schema.Struct({
  port: Schema.Port,
  /** Over TLS it names this server; absent means plaintext. */
  serverName: Schema.optionalKey(Schema.String),
  version: Schema.Literals(["1.1", "2"]),
  startMillis: Millis,
  latencyMillis: Millis,
  /** Between two requests: after the reply to the one before (HTTP/1.1), or after its beginning (HTTP/2). */
  thinkMillis: Millis,
  /** How long it takes over each chunk of a reply. */
  readMillis: Millis,
  /** How much it takes unread, and how much of an upload may be under way. */
  windowBytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1 << 20 })),
  /** It gives up a request that has not ended by then. */
  patienceMillis: Millis,
  /** From then on nothing is heard of it, not even that it is gone. */
  vanishesAtMillis: Schema.optionalKey(Millis),
  /** None: it connects and says nothing. */
  requests: Schema.Array(Request),
})
export type Client = typeof Client.Type

/** Another configuration arrives; it is named by its place in the list. */
export const Change = Schema.Struct({ atMillis: Millis, config: natural(64) })
export type Change = typeof Change.Type

export const World = Schema.Struct({
  servers: Schema.Array(Server),
  clients: Schema.Array(Client),
  changes: Schema.Array(Change),
  /** Ports that somebody else listens on. */
  takenPorts: Schema.Array(Schema.Port),
  /** Absent: when every client has finished. */
  drainAtMillis: Schema.optionalKey(Millis),
})
export type World = typeof World.Type
