/** Everything somebody wants to be told of, from all targets, as one: nothing is missed in a gap, nothing is told twice. */
import * as Effect from "effect/Effect"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { rewriteTold } from "../../../../protocols/mcp/rewrite.ts"
import { limits } from "../limits.ts"
import type { Ask, Caller, Interest, ListenEvents } from "../target/McpTarget.ts"
import type { Federation } from "./Federation.ts"
import type { Member } from "./Member.ts"

type What = Parameters<ListenEvents["changed"]>[0]

const whats: ReadonlyArray<What> = ["tools", "prompts", "resources"]

interface Share {
  readonly member: Member
  /** In the target's own words. */
  readonly interest: Interest
  /** By the target's own address, the client's. */
  readonly uris: ReadonlyMap<string, string>
  /** By the target's own name of a task, the client's. */
  readonly tasks: ReadonlyMap<string, string>
}

const sharesOf = (federation: Federation, caller: Caller, interest: Interest): Effect.Effect<ReadonlyArray<Share>> => {
  const judge = federation.settings.access.of(caller.exchange)
  return Effect.map(
    Effect.forEach(interest.updates.slice(0, limits.updatesPerListenMax), (uri) =>
      Effect.map(federation.ownerOf(uri, caller), (owned) => ({ uri, owned })),
    ),
    (found) =>
      federation.settings.members.map((member): Share => {
        const uris = new Map<string, string>()
        for (const { owned, uri } of found) {
          if (owned?.member === member && judge.lists("resource", member.name, owned.name)) uris.set(owned.name, uri)
        }
        const tasks = new Map<string, string>()
        for (const sealed of interest.tasks) {
          const task = federation.openTask(sealed, caller)
          if (task?.member === member) tasks.set(task.id, sealed)
        }
        return { member, uris, tasks, interest: { ...interest, updates: [...uris.keys()], tasks: [...tasks.keys()] } }
      }),
  )
}

/** Collects what is told in quick succession. */
class Gathered {
  private readonly pending = new Set<What>()
  private readonly flush: (what: What) => void
  private readonly after: (millis: number, callback: () => void) => () => void
  private disarm: (() => void) | undefined = undefined

  constructor(after: (millis: number, callback: () => void) => () => void, flush: (what: What) => void) {
    this.after = after
    this.flush = flush
  }

  add(what: What): void {
    this.pending.add(what)
    this.disarm ??= this.after(limits.debounceMillis, () => {
      this.disarm = undefined
      for (const one of this.pending) this.flush(one)
      this.pending.clear()
    })
  }

  stop(): void {
    this.disarm?.()
  }
}

/** Never completes by itself: what breaks is taken up again. */
export const listenAll = (
  federation: Federation,
  caller: Caller,
  interest: Interest,
  events: ListenEvents,
): Effect.Effect<never> =>
  Effect.flatMap(sharesOf(federation, caller, interest), (shares) =>
    Effect.suspend(() => {
      const { clock } = federation.settings.runtime
      const honoured = new Map<Member, Interest>()
      const gathered = new Gathered(clock.after, (what) => events.changed(what))
      let isAcknowledged = false
      let disarm: (() => void) | undefined

      const acknowledge = (): void => {
        if (isAcknowledged) return
        isAcknowledged = true
        disarm?.()
        const all = [...honoured.values()]
        const uris = shares.flatMap(({ member, uris: known }) =>
          (honoured.get(member)?.updates ?? (promisesUpdates(member, caller) ? [...known.keys()] : [])).flatMap(
            (uri) => known.get(uri) ?? [],
          ),
        )
        const late = shares.filter(({ member }) => !honoured.has(member))
        // Of several targets the gateway itself sees the changes; who is late will be heard of.
        const some = (what: What): boolean =>
          interest[what] &&
          (all.some((one) => one[what]) ||
            late.some(({ member }) => !federation.isPlain || promises(member, caller, what)))
        events.acknowledged({
          tools: some("tools"),
          prompts: some("prompts"),
          resources: some("resources"),
          updates: uris,
          tasks: shares.flatMap(({ member, tasks }) =>
            (honoured.get(member)?.tasks ?? []).flatMap((id) => tasks.get(id) ?? []),
          ),
        })
      }
      disarm = clock.after(limits.acknowledgeMillis, acknowledge)
      if (shares.length === 0) acknowledge()

      const { access } = federation.settings
      const judge = access.isOpenTo(caller.exchange) ? undefined : access.of(caller.exchange)

      const follow = ({ interest: own, member, tasks, uris }: Share): Effect.Effect<never> => {
        const uriFor = (uri: string): string => uris.get(uri) ?? federation.uriFor(member, uri)
        let failures = 0
        const told: ListenEvents = {
          acknowledged: (accepted) => {
            failures = 0
            const isLate = isAcknowledged
            honoured.set(member, accepted)
            if (!isLate && honoured.size === shares.length) acknowledge()
            // What happened before it was heard of, or while nobody listened, is told now.
            if (!isLate) return
            for (const what of whats) if (accepted[what] && interest[what]) gathered.add(what)
            for (const uri of accepted.updates) {
              events.updated(Fields.of({ uri: JSON.stringify(uriFor(uri)) }))
            }
          },
          changed: (what) => {
            if (interest[what]) gathered.add(what)
          },
          updated: (params) => {
            // A server may tell what others asked for, who may be told more.
            if (judge?.lists("resource", member.name, params.string("uri") ?? "") === false) return
            const text = rewriteTold("notifications/resources/updated", params.toJson(), uriFor)
            events.updated(Fields.parse(text) ?? params)
          },
          task: (method, params) => {
            const sealed = tasks.get(params.string("taskId") ?? "")
            if (sealed !== undefined) events.task(method, params.with("taskId", JSON.stringify(sealed)))
          },
          notify: (method: string, params: Json | undefined) => events.notify(method, params),
          ask: (ask: Ask) => events.ask(ask),
        }
        const again: Effect.Effect<never> = Effect.suspend(() => {
          const waitMillis = Math.min(limits.reconnectMillisMin * 2 ** failures++, limits.reconnectMillisMax)
          return Effect.andThen(
            Effect.sleep(waitMillis * (0.75 + clock.random() / 2)),
            Effect.suspend(() => once),
          )
        })
        const once: Effect.Effect<never> = Effect.suspend(() =>
          Effect.flatMap(Effect.exit(member.target.listen(caller, own, told)), () => again),
        )
        return once
      }

      // A change is news for everybody, in whosever session the target told it.
      const unwatch = shares.map(({ member }) =>
        member.watch((what) => {
          if (interest[what] && isAcknowledged) gathered.add(what)
        }),
      )
      return Effect.ensuring(
        Effect.andThen(Effect.forEach(shares, follow, { concurrency: "unbounded", discard: true }), Effect.never),
        Effect.sync(() => {
          disarm?.()
          gathered.stop()
          for (const one of unwatch) one()
        }),
      )
    }),
  )

/** The same for single resources. */
const promisesUpdates = (member: Member, caller: Caller): boolean =>
  Fields.parse(member.introduced(caller)?.capabilities)?.object("resources")?.get("subscribe") === "true"

/** Whether a target that has not been heard yet said that it would tell. */
const promises = (member: Member, caller: Caller, what: What): boolean =>
  Fields.parse(member.introduced(caller)?.capabilities)?.object(what)?.get("listChanged") === "true"
