/**
 * Who wants to be told of which task, and what is still to be told: it outlives the process, and is one for all workers
 * and gateways that share a database. Letters of one registration go out one after the other.
 */
import type * as Effect from "effect/Effect"
import type { Fields } from "../../protocols/a2a/Fields.ts"
import type { Version } from "../../protocols/a2a/operation.ts"

export interface Registration {
  /** The gateway's own name for it, which the agent knows it by as well. */
  readonly id: string
  readonly agent: string
  /** Whose it is: nobody else sees it. */
  readonly owner: string
  /** Undefined until the agent has said which task it began. */
  readonly taskId: string | undefined
  /** The client's name for it. */
  readonly configId: string
  /** How the client speaks, and how the agent does. */
  readonly version: Version
  readonly agentVersion: Version
  /** By which the agent proves that it was told to write here. */
  readonly token: string
  /** As the client gave it: `url`, `token`, `authentication` and whatever else. */
  readonly config: Fields
}

export interface Letter {
  readonly registration: Registration
  readonly number: number
  /** The event, as 1.0 writes it in JSON. */
  readonly body: string
  /** How often it was tried. */
  readonly attempts: number
  readonly postedMillis: number
}

export interface PostboxFailure {
  readonly _tag: "PostboxFailure"
  readonly message: string
}

export const postboxFailure = (message: string): PostboxFailure => ({ _tag: "PostboxFailure", message })

/** For one task of one client. */
export const REGISTRATIONS_PER_TASK_MAX = 10
export const REGISTRATIONS_MAX = 100_000
/** Waiting for one receiver. */
export const LETTERS_PER_REGISTRATION_MAX = 1_000
/** How long a task may take to say what it is called. */
export const UNBOUND_MILLIS_MAX = 24 * 3_600_000
/** How long a registration lives whose task never ends. */
export const REGISTRATION_MILLIS_MAX = 30 * 24 * 3_600_000
/** How long a registration outlives its task, and what was delivered is known. */
export const AFTERLIFE_MILLIS = 3_600_000
/** How long letters are kept that could not be delivered. */
export const DEAD_MILLIS_MAX = 7 * 24 * 3_600_000

export interface Kept {
  readonly registration: Registration
  /** What stood in its place. */
  readonly before: Registration | undefined
}

export interface Posting {
  readonly registration: string
  readonly body: string
  /** Says the same of what says the same. */
  readonly digest: string
  readonly repeats: "anywhere" | "next" | "never"
  /** The task is over with it. */
  readonly isLast: boolean
}

/** What could not be delivered. */
export interface DeadLetter {
  readonly registration: Registration
  readonly number: number
  readonly body: string
  readonly attempts: number
  readonly postedMillis: number
  readonly why: string
}

type Told<A> = Effect.Effect<A, PostboxFailure>

export interface Postbox {
  /** In the place of one by the same name for the same task, whose `id` and `token` it then takes over; or there is no room. */
  readonly keep: (registration: Registration, nowMillis: number) => Told<Kept | "full">
  /** Says which task it turned out to be. */
  readonly bind: (id: string, taskId: string) => Told<void>
  readonly find: (id: string) => Told<Registration | undefined>
  readonly list: (agent: string, owner: string, taskId: string) => Told<ReadonlyArray<Registration>>
  /** With all its letters. */
  readonly remove: (id: string) => Told<void>
  readonly post: (posting: Posting, nowMillis: number) => Told<"posted" | "known" | "full">
  /** The letters that are due, the first of each registration only; nobody else gets them until then. */
  readonly take: (max: number, nowMillis: number, untilMillis: number) => Told<ReadonlyArray<Letter>>
  readonly delivered: (letter: Letter) => Told<void>
  readonly postpone: (letter: Letter, attempts: number, dueMillis: number) => Told<void>
  /** It is not tried again, and those behind it are. */
  readonly bury: (letter: Letter, why: string, nowMillis: number) => Told<void>
  /** Those that were given up, the latest first. */
  readonly dead: (max: number) => Told<ReadonlyArray<DeadLetter>>
  /** A letter that was given up is tried again as if it had just been posted; false: there is none. */
  readonly revive: (registration: string, number: number, nowMillis: number) => Told<boolean>
  /** … or forgotten. */
  readonly drop: (registration: string, number: number) => Told<boolean>
  /** Forgets what nobody needs any more. */
  readonly sweep: (nowMillis: number) => Told<void>
}
