/**
 * What every MCP server looks like from inside the gateway, whatever it speaks: an exchange goes in, and while it runs
 * its progress, log messages and questions come out, and at the end one outcome. Everything that stands in front of a
 * server — federation, shaping, guardrails — is a target again, around others.
 *
 * A target may not: keep a call alive whose effect was interrupted, ask what the caller did not declare, or rewrite what
 * it need not understand. Interrupting the effect of a call is its cancellation and reaches the server.
 */
import type * as Effect from "effect/Effect"
import type { Fields, Json } from "../../../../protocols/mcp/json.ts"
import type { LogLevel } from "../../../../protocols/mcp/methods.ts"
import type { Era, Revision } from "../../../../protocols/mcp/revision.ts"
import type { Exchange } from "../../../Exchange.ts"

/** On whose behalf a target is called. */
export interface Caller {
  /** Tells identities apart, and says nothing about them; sessions, caches and tasks of one are not another's. */
  readonly principal: string
  /** The client's session, where it has one: a target with sessions has one for each. Absent: one out of a pool. */
  readonly session: string | undefined
  readonly revision: Revision
  /** What the client can do, an object. A target never tells its server more than this. */
  readonly capabilities: Json
  readonly clientInfo: Json | undefined
  /** From which level on its session wants log messages; absent: it has not said. */
  readonly level?: LogLevel | undefined
  /** Whose plan, identity and place upstream requests are made with. */
  readonly exchange: Exchange
  /** What of the exchange outlives it, where that has been made already. */
  readonly lasting?: Exchange
}

export interface Call {
  readonly caller: Caller
  readonly method: string
  /** As the client sent them, without the envelope and the progress token; names are the server's own. */
  readonly params: Fields | undefined
  /** Whether anybody waits for progress. */
  readonly wantsProgress: boolean
  /** Absent: a modern client that wants no log messages. */
  readonly logLevel: LogLevel | undefined
  /** Headers `Mcp-Param-*` as a modern client sent them, name and value in turn. */
  readonly paramHeaders: ReadonlyArray<string>
  readonly events: CallEvents
}

/** What a server says while it works on a call. */
export interface CallEvents {
  /** Parameters of `notifications/progress`; whoever passes them on puts in the token that its own client gave. */
  readonly progress: (params: Fields) => void
  /** Parameters of `notifications/message`. */
  readonly log: (params: Fields) => void
  /** Any other notification of the server that belongs to this call. */
  readonly notify: (method: string, params: Json | undefined) => void
  /** A question to the client. Interrupting it means that the server no longer wants to know. */
  readonly ask: (ask: Ask) => Effect.Effect<Answer>
}

/** `sampling/createMessage`, `elicitation/create` or `roots/list`. */
export interface Ask {
  readonly method: string
  readonly params: Json | undefined
  /** The server that asks, as people know it. */
  readonly target: string
}

/** What the client made of a question: either a result or an error object. */
export type Answer =
  | { readonly _tag: "Result"; readonly result: Json }
  | { readonly _tag: "Error"; readonly error: Json }

/** Where an account is connected; absent: nobody knows. */
export interface Consent {
  readonly url: string | undefined
}

/** A text in three pieces, the long one of them in bytes. */
export interface Encoded {
  readonly before: Json
  readonly bytes: Uint8Array
  readonly after: Json
}

/** What the server made of a call. `era` says in whose words: those who pass it on convert only where eras differ. */
export type Outcome =
  | {
      readonly _tag: "Result"
      readonly result: Json
      readonly era: Era
      /** What was made of this very result before, by revision; absent: it is nobody else's. */
      readonly conversions?: Map<string, Json> | undefined
      /** The same result as it is sent, most of it encoded once for all; absent: nobody did that. */
      readonly encoded?: Encoded | undefined
      /** It lists next to nothing, because the caller has to connect an account first. */
      readonly consent?: Consent | undefined
      /** It began a task that is known only in the session that began it, and to whoever waits for its questions. */
      readonly isTied?: boolean | undefined
    }
  | { readonly _tag: "Error"; readonly error: Json; readonly era: Era }

/** Why there is no outcome; each becomes an error that names the target, and no more than that. */
export type TargetFailure =
  /** `began`: the server may have begun to work on it. */
  | {
      readonly _tag: "Unreachable"
      readonly target: string
      readonly message: string
      readonly began: boolean
      /** What it answered in place of anything we could use. */
      readonly status?: number | undefined
      /** The code of the error with which it would not even begin. */
      readonly code?: number | undefined
    }
  | { readonly _tag: "TimedOut"; readonly target: string; readonly message: string }
  /** The server wants other credentials than the gateway has for it. */
  | {
      readonly _tag: "Unauthorized"
      readonly target: string
      readonly status: number
      readonly challenge: string | undefined
    }
  /** The server will not answer now. */
  | {
      readonly _tag: "Busy"
      readonly target: string
      readonly status: number
      readonly retryAfterMillis: number | undefined
    }
  /** The breaker is open: nobody was asked. */
  | { readonly _tag: "Suspended"; readonly target: string; readonly message: string }

/** What a server says of itself. */
export interface Discovery {
  readonly era: Era
  /** An object. */
  readonly capabilities: Json
  readonly serverInfo: Json | undefined
  readonly instructions: string | undefined
  /** All that it says beside this, member by member; absent: nothing. */
  readonly rest?: Fields | undefined
  /** How long it may be kept; 0 for a server that does not say. */
  readonly ttlMillis: number
  readonly isPublic: boolean
}

/** What somebody wants to be told of, beyond calls. */
export interface Interest {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
  /** URIs of single resources. */
  readonly updates: ReadonlyArray<string>
  readonly tasks: ReadonlyArray<string>
}

export interface ListenEvents {
  /** Once, as soon as it is known what the server will tell. */
  readonly acknowledged: (honoured: Interest) => void
  readonly changed: (what: "tools" | "prompts" | "resources") => void
  readonly updated: (params: Fields) => void
  /** `notifications/tasks` of the extension, or the status notification of 2025-11-25. */
  readonly task: (method: string, params: Fields) => void
  /** Log messages and other notifications that belong to no call: for clients with a session. */
  readonly notify: (method: string, params: Json | undefined) => void
  /** A question that belongs to no call; only to a client with a session. */
  readonly ask: (ask: Ask) => Effect.Effect<Answer>
}

export interface McpTarget {
  readonly name: string
  readonly discover: (caller: Caller) => Effect.Effect<Discovery, TargetFailure>
  readonly call: (call: Call) => Effect.Effect<Outcome, TargetFailure>
  /** A notification of the client; fails only where nobody could take it. */
  readonly notify: (caller: Caller, method: string, params: Fields | undefined) => Effect.Effect<void, TargetFailure>
  /** Runs until it is interrupted, or the server ends it. */
  readonly listen: (caller: Caller, interest: Interest, events: ListenEvents) => Effect.Effect<void, TargetFailure>
  /** What a client's session holds at the server, for a session that is to outlive its worker. */
  readonly held: (session: string) => Json | undefined
  /** Takes over what `held` said elsewhere. */
  readonly restore: (caller: Caller, held: Json) => void
  /** The client's session has ended: what the server keeps for it is let go. */
  readonly release: (caller: Caller) => Effect.Effect<void>
  /** The target is no longer configured: everything it holds is let go. */
  readonly close: () => void
}
