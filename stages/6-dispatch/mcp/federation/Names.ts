/** How the things of many targets are called, so that each name leads back to one of them. */
import type { Json } from "../../../../protocols/mcp/json.ts"
import { prefixed, prefixedUri } from "../../../../protocols/mcp/naming.ts"
import type { Sealer } from "../../../ports/Sealer.ts"
import { limits } from "../limits.ts"
import { taskSession } from "../target/LegacyTasks.ts"
import type { Caller } from "../target/McpTarget.ts"
import type { Kind } from "./Access.ts"
import type { FederationSettings } from "./FederationSettings.ts"
import type { Member } from "./Member.ts"

/** What a method is about. */
export const kindOf: Readonly<Record<string, Kind>> = {
  "tools/list": "tool",
  "tools/call": "tool",
  "prompts/list": "prompt",
  "prompts/get": "prompt",
  "resources/list": "resource",
  "resources/templates/list": "resource",
  "resources/read": "resource",
  "resources/subscribe": "resource",
  "resources/unsubscribe": "resource",
}

/** The member of a listed item that names it. */
export const naming: Readonly<Record<string, string>> = {
  "tools/list": "name",
  "prompts/list": "name",
  "resources/list": "uri",
  "resources/templates/list": "uriTemplate",
}

const taskPurpose = "mcp-task"

export interface Task {
  readonly member: Member
  /** As its target calls it. */
  readonly id: string
  /** The session it was begun in where that is the gateway's own, and what its server knows that by. */
  readonly session: string | undefined
  readonly held: Json | undefined
  /** The tool it came of, as its target calls it; absent in names of earlier times. */
  readonly tool: string | undefined
}

type SealedTask = readonly [
  target: string,
  id: string,
  principal: string,
  session?: string | null,
  held?: Json | null,
  worker?: string | null,
  tool?: string,
]

/** The worker that a task was begun by, where that matters; undefined: it does not, or it is none of ours. */
export const taskWorker = (sealed: string, sealer: Pick<Sealer, "open">): string | undefined => {
  const opened = sealed.length > limits.sealedCharsMax ? undefined : sealer.open(sealed, taskPurpose)
  return opened === undefined ? undefined : ((JSON.parse(opened) as SealedTask)[5] ?? undefined)
}

export class Names {
  /** Names as they are: there is one target, and nobody wanted prefixes. */
  readonly isPlain: boolean
  readonly hasPrefixes: boolean
  readonly byName: ReadonlyMap<string, Member>
  private readonly worker: string
  private readonly sealer: Sealer
  private readonly sole: Member | undefined

  constructor({ members, prefixMode, runtime }: FederationSettings) {
    this.byName = new Map(members.map((member) => [member.name, member]))
    this.hasPrefixes = prefixMode === "always" || (prefixMode === "conditional" && members.length !== 1)
    this.isPlain = members.length === 1 && !this.hasPrefixes
    this.sole = this.isPlain ? members[0] : undefined
    this.sealer = runtime.sealer
    this.worker = runtime.worker
  }

  /** The target whose names are nobody else's. */
  get only(): Member | undefined {
    return this.sole
  }

  /** A name that clashes with nobody's. */
  prefixed(member: Member, name: string): string {
    return prefixed(member.name, name, this.sealer.digest)
  }

  /** Names of a target's things as clients see them. */
  nameFor(member: Member, name: string): string {
    return this.hasPrefixes ? this.prefixed(member, name) : name
  }

  uriFor(member: Member, uri: string): string {
    return this.isPlain ? uri : prefixedUri(member.name, uri)
  }

  /** A task under a name that says whose it is, and is good for nobody but who began it. */
  taskFor(member: Member, id: string, tool: string, caller: Caller, isTied: boolean): string {
    const own = [member.name, id, caller.principal] as const
    const session = taskSession(caller)
    const sealed: SealedTask = isTied
      ? [...own, session, member.target.held(session) ?? null, this.worker, tool]
      : [...own, null, null, null, tool]
    return this.sealer.seal(JSON.stringify(sealed), taskPurpose)
  }

  /** Undefined: it is none of this caller's. */
  taskOf(sealed: string, { principal }: Pick<Caller, "principal">): Task | undefined {
    const opened = sealed.length > limits.sealedCharsMax ? undefined : this.sealer.open(sealed, taskPurpose)
    if (opened === undefined) return undefined
    const [target, id, owner, session, held, , tool] = JSON.parse(opened) as SealedTask
    const member = owner === principal ? this.byName.get(target) : undefined
    return member === undefined
      ? undefined
      : { member, id, session: session ?? undefined, held: held ?? undefined, tool }
  }
}
