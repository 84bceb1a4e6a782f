/**
 * One side of a bridge: how a client is answered, and how an agent is asked, in one binding and version. Between them
 * there are only the values of 1.0.
 */
import type { Answer } from "../../../protocols/a2a/Answer.ts"
import type { Call, Dialed, Operation } from "../../../protocols/a2a/operation.ts"
import type { Fault } from "../../../protocols/a2a/Fault.ts"
import type { Headers } from "../../../protocols/http/headers.ts"

/** An answer in one piece, as it goes on a wire. */
export interface Piece {
  readonly status: number
  readonly headers: ReadonlyArray<string>
  readonly bytes: Uint8Array
  /** Behind the bytes, where the binding has something to say there. */
  readonly trailers?: ReadonlyArray<string>
}

/** How a client is answered. */
export interface Voice {
  readonly dialed: Dialed
  readonly whole: (operation: Operation, answer: Answer) => Piece
  /** The fields of the head of a stream. */
  readonly streamHeaders: ReadonlyArray<string>
  /** One event; undefined: what went wrong is said at the end instead. */
  readonly event: (operation: Operation, answer: Answer) => Uint8Array | undefined
  /** What follows the last event; the fault that ended it, if one did. */
  readonly trailers: (ended: Fault | undefined) => ReadonlyArray<string> | undefined
  /** Keeps an idle stream from looking dead; undefined where the transport sees to that. */
  readonly idle: Uint8Array | undefined
}

/** A question as it goes to an agent. */
export interface Put {
  readonly method: string
  readonly path: string
  readonly query: string | undefined
  readonly headers: ReadonlyArray<string>
  readonly bytes: Uint8Array | undefined
}

/** Takes the bytes of a stream and gives back its events. */
export interface Events {
  /** False: nothing sensible can follow. */
  readonly push: (chunk: Uint8Array, take: (answer: Answer) => void) => boolean
  readonly end: (trailers: Headers | undefined, take: (answer: Answer) => void) => void
}

/** How an agent is asked. */
export interface Ear {
  readonly dialed: Dialed
  /** A fault says why the question cannot be put this way. */
  readonly put: (call: Call) => { readonly put: Put } | { readonly fault: Fault }
  /** Another way to put a question that was refused with this status. */
  readonly again: (call: Call, status: number, headers: Headers) => Put | undefined
  readonly isStream: (headers: Headers) => boolean
  readonly whole: (
    operation: Operation,
    status: number,
    headers: Headers,
    bytes: Uint8Array,
    trailers: Headers | undefined,
  ) => Answer
  readonly events: (operation: Operation, headers: Headers) => Events
}
