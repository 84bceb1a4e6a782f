/**
 * Which conversation with an agent a caller is in. A client's session has one; whoever has no session brings back the
 * name of it, which opens for nobody else.
 */
import { fieldsOf, parse, present, textOf } from "../../../../../protocols/a2a/Fields.ts"
import type { Json } from "../../../../../protocols/mcp/json.ts"
import type { Sealer } from "../../../../ports/Sealer.ts"
import type { Caller } from "../McpTarget.ts"

/** Sessions whose conversation is remembered; beyond, the one remembered first begins anew. */
const SESSIONS_MAX = 100_000

export interface Conversation {
  readonly contextId: string | undefined
  /** Absent: the last task is over. */
  readonly taskId: string | undefined
}

/** What a question was about, from the question to its answer. */
export interface Waiting extends Conversation {
  readonly taskId: string
  /** The answer is what the agent's own form asked for. */
  readonly isOwn: boolean
  /** Somebody was sent to sign in; nothing is said when they are back. */
  readonly isSignIn: boolean
}

const statePrefix = "a2a."

export class Conversations {
  private readonly target: string
  private readonly sealer: Sealer
  private readonly sessions = new Map<string, string>()

  constructor(target: string, sealer: Sealer) {
    this.target = target
    this.sealer = sealer
  }

  private purpose(what: string, { principal }: Caller): string {
    return `a2a-${what} ${this.target} ${principal}`
  }

  /** The conversation a call goes on with that names none. */
  contextOf({ session }: Caller): string | undefined {
    return session === undefined ? undefined : this.sessions.get(session)
  }

  note({ session }: Caller, contextId: string | undefined): void {
    if (session === undefined || contextId === undefined) return
    this.sessions.delete(session)
    this.sessions.set(session, contextId)
    if (this.sessions.size <= SESSIONS_MAX) return
    for (const first of this.sessions.keys()) {
      this.sessions.delete(first)
      return
    }
  }

  seal(caller: Caller, { contextId, taskId }: Conversation): string | undefined {
    return contextId === undefined && taskId === undefined
      ? undefined
      : this.sealer.seal(JSON.stringify([contextId ?? null, taskId ?? null]), this.purpose("conversation", caller))
  }

  open(caller: Caller, sealed: string): Conversation | undefined {
    const text = this.sealer.open(sealed, this.purpose("conversation", caller))
    if (text === undefined) return undefined
    const [contextId, taskId] = JSON.parse(text) as ReadonlyArray<string | null>
    return { contextId: contextId ?? undefined, taskId: taskId ?? undefined }
  }

  stateOf(caller: Caller, waiting: Waiting): string {
    return `${statePrefix}${this.sealer.seal(JSON.stringify(present({ ...waiting })), this.purpose("question", caller))}`
  }

  waitingIn(caller: Caller, state: string): Waiting | undefined {
    if (!state.startsWith(statePrefix)) return undefined
    const text = this.sealer.open(state.slice(statePrefix.length), this.purpose("question", caller))
    if (text === undefined) return undefined
    const { contextId, isOwn, isSignIn, taskId } = fieldsOf(parse(text)?.value)
    return {
      contextId: textOf(contextId),
      taskId: textOf(taskId) ?? "",
      isOwn: isOwn === true,
      isSignIn: isSignIn === true,
    }
  }

  held(session: string): Json | undefined {
    const contextId = this.sessions.get(session)
    return contextId === undefined ? undefined : JSON.stringify(contextId)
  }

  restore(caller: Caller, held: Json): void {
    this.note(caller, textOf(parse(held)?.value))
  }

  release({ session }: Caller): void {
    if (session !== undefined) this.sessions.delete(session)
  }
}
