/**
 * A target whose definitions are judged before anybody sees them, and again before anybody uses them. What must not be
 * seen does not exist; everything else of the target works as it did.
 */
import * as Effect from "effect/Effect"
import type { Kind } from "../../../../protocols/lock/hash.ts"
import { arrayOf, asString, Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Ready } from "../../lock/Approvals.ts"
import { asDefinition, type Judged, ServerLock, type ServerLockOptions, type Shown } from "../../lock/ServerLock.ts"
import type { LocksFailure } from "../../../ports/Locks.ts"
import { contextOf } from "../callers.ts"
import { mayMatch } from "../federation/Directory.ts"
import { limits } from "../limits.ts"
import type {
  Call,
  Caller,
  Discovery,
  Interest,
  ListenEvents,
  McpTarget,
  Outcome,
  TargetFailure,
} from "../target/McpTarget.ts"
import type { Changed } from "../target/makeTarget.ts"
import { pageCall } from "../target/pageCall.ts"
import { kept, LastShown } from "./LastShown.ts"

type What = Parameters<Changed>[0]

interface Listed {
  readonly kind: "tool" | "prompt" | "template"
  readonly method: string
  readonly field: string
  readonly what: What
}

const byKind: { readonly [Of in Listed["kind"]]: Listed } = {
  tool: { kind: "tool", method: "tools/list", field: "tools", what: "tools" },
  prompt: { kind: "prompt", method: "prompts/list", field: "prompts", what: "prompts" },
  template: { kind: "template", method: "resources/templates/list", field: "resourceTemplates", what: "resources" },
}
const lists: ReadonlyArray<Listed> = Object.values(byKind)
const byMethod: ReadonlyMap<string, Listed> = new Map(lists.map((one) => [one.method, one]))

/** What one kind of caller gets of one kind of thing. */
interface View {
  readonly atMillis: number
  readonly shown: ReadonlyMap<string, Shown>
  readonly hidden: ReadonlySet<string>
  /** Tells views apart. */
  readonly signature: string
}

const viewsMax = 4_096
/** A target that nobody has used for so long is not looked at either. */
const idleMillis = 5 * 60_000

const unknown: Readonly<Record<"tool" | "prompt" | "template", (name: string) => Outcome>> = {
  tool: (name) => refused(`Unknown tool: ${name}`),
  prompt: (name) => refused(`Unknown prompt: ${name}`),
  template: (name) => refused(`Resource not found: ${name}`, { uri: name }),
}

const refused = (message: string, data?: unknown): Outcome => ({
  _tag: "Error",
  error: errorOf(codes.invalidParams, message, data),
  era: "modern",
})

export interface LockedParts extends Omit<ServerLockOptions, "onChanged"> {
  readonly changed: Changed
}

export class LockedTarget implements McpTarget {
  readonly name: string
  readonly lock: ServerLock
  private readonly inner: McpTarget
  private readonly parts: LockedParts
  private readonly views = new Map<string, View>()
  private readonly lastShown = new LastShown()
  private lastCaller: Caller | undefined = undefined
  private usedMillis = -Infinity
  private disarm: (() => void) | undefined = undefined
  private isClosed = false

  /** `make` gets what the target is to call when it has something new to list. */
  constructor(parts: LockedParts, make: (changed: Changed) => McpTarget) {
    this.parts = parts
    this.lock = new ServerLock({ ...parts, onChanged: () => this.decided() })
    this.inner = make((what) => this.changed(what))
    this.name = this.inner.name
  }

  // What changes ------------------------------------------------------------------------------------------------------

  /** The server says that it has something new: it is looked at before anybody else hears of it. */
  private changed(what: What): void {
    this.expire(what)
    const { lastCaller } = this
    if (lastCaller === undefined || this.isClosed) return this.parts.changed(what)
    this.recheckThen(lastCaller, what, () => this.parts.changed(what))
  }

  /** Somebody has approved something, or taken it back. */
  private decided(): void {
    this.lastShown.forgetKept()
    for (const { what } of lists) this.expire(what)
    for (const what of new Set(lists.map((one) => one.what))) this.parts.changed(what)
  }

  private expire(what: What): void {
    const kinds = lists.filter((one) => one.what === what).map((one) => `${one.kind} `)
    for (const [key, view] of this.views) {
      if (kinds.some((kind) => key.startsWith(kind))) this.views.set(key, { ...view, atMillis: -Infinity })
    }
  }

  /** Servers may change what they say without a word about it. */
  private used(caller: Caller): void {
    // A session may be over by the time it is asked again.
    this.lastCaller = { ...caller, session: undefined }
    this.usedMillis = this.parts.parts.clock.nowMillis()
    this.arm()
  }

  private arm(): void {
    if (this.disarm !== undefined || this.isClosed) return
    const { clock } = this.parts.parts
    this.disarm = clock.after(this.lock.recheckMillis, () => {
      this.disarm = undefined
      const caller = this.lastCaller
      if (caller === undefined || this.isClosed) return
      if (clock.nowMillis() - this.usedMillis > idleMillis) {
        this.lastCaller = undefined
        return
      }
      this.recheckThen(caller, undefined, () => this.arm())
    })
  }

  /** Nobody waits for it. */
  private recheckThen(caller: Caller, only: What | undefined, then: () => void): void {
    this.parts.parts.run(Effect.ensuring(Effect.ignore(this.recheck(caller, only)), Effect.sync(then)))
  }

  /** Asks for everything that was shown to somebody, and tells whoever listens where that is not true any more. */
  recheck(caller: Caller, only?: What): Effect.Effect<void, TargetFailure> {
    return Effect.forEach(
      lists.filter((one) => (only === undefined || one.what === only) && this.views.has(this.keyOf(one.kind, caller))),
      (one) => Effect.asVoid(this.look(one, caller)),
      { discard: true },
    )
  }

  /** Everything there is of a server, looked at once; for whoever wants to know how it stands. */
  readonly inspect = (caller: Caller): Effect.Effect<void, TargetFailure> =>
    Effect.andThen(
      Effect.asVoid(this.discover(caller)),
      Effect.forEach(lists, (one) => this.look(one, caller), { discard: true }),
    )

  // Judging -----------------------------------------------------------------------------------------------------------

  /** Without the lock nothing of the target can be shown. */
  private relied(ready: Effect.Effect<Ready, LocksFailure>): Effect.Effect<Ready, TargetFailure> {
    return Effect.mapError(ready, ({ message }) => ({
      _tag: "Unreachable",
      target: this.name,
      message: `its tool lock cannot be relied upon: ${message}`,
      began: false,
    }))
  }

  private keyOf(kind: Kind, caller: Caller): string {
    return `${kind} ${contextOf(caller)}`
  }

  /** Every page of a list, as the server says it; undefined: it has no such list. */
  private everything(
    method: string,
    field: string,
    caller: Caller,
  ): Effect.Effect<ReadonlyArray<Json> | undefined, TargetFailure> {
    const found: Array<Json> = []
    let pages = 0
    const from = (cursor: Json | undefined): Effect.Effect<ReadonlyArray<Json> | undefined, TargetFailure> => {
      const call = pageCall(method, caller, cursor)
      return Effect.flatMap(this.inner.call(call), (outcome) => {
        if (outcome._tag === "Error") return Effect.succeed(undefined)
        const fields = Fields.parse(outcome.result)
        found.push(...(itemsOf(fields?.get(field)) ?? []))
        const next = fields?.get("nextCursor")
        return next === undefined || next === "null" || ++pages >= limits.pagesMax || found.length >= limits.itemsMax
          ? Effect.succeed(found)
          : from(next)
      })
    }
    return from(undefined)
  }

  private judged(
    { field, kind, method }: Listed,
    caller: Caller,
    texts: ReadonlyArray<Json>,
    isAll: boolean,
  ): Effect.Effect<Judged, TargetFailure> {
    const { lock } = this
    return Effect.flatMap(this.relied(lock.current), (ready): Effect.Effect<Judged, TargetFailure> => {
      if (!lock.meets(ready, kind)) return Effect.sync(() => lock.judge(ready, kind, texts, isAll))
      // On first contact everything there is counts, whatever page somebody asked for.
      const all = isAll
        ? Effect.succeed<ReadonlyArray<Json> | undefined>(texts)
        : this.everything(method, field, caller)
      return Effect.flatMap(all, (every) =>
        Effect.map(this.relied(lock.meet(ready, kind, every ?? texts)), (met) => lock.judge(met, kind, texts, isAll)),
      )
    })
  }

  private look(listed: Listed, caller: Caller): Effect.Effect<View, TargetFailure> {
    return Effect.flatMap(this.everything(listed.method, listed.field, caller), (texts) =>
      Effect.map(this.judged(listed, caller, texts ?? [], texts !== undefined), (judged) =>
        this.keep(listed, caller, judged),
      ),
    )
  }

  private keep({ kind, what }: Listed, caller: Caller, { hidden, shown }: Judged): View {
    const key = this.keyOf(kind, caller)
    const before = this.views.get(key)
    const view: View = {
      atMillis: this.parts.parts.clock.nowMillis(),
      shown: new Map(shown.map((one) => [one.item.name, one])),
      hidden,
      signature: shown.map(({ item }) => item.hash).join(" "),
    }
    if (before === undefined && this.views.size >= viewsMax) this.views.clear()
    this.views.set(key, view)
    if (before !== undefined && before.signature !== view.signature) this.parts.changed(what)
    return view
  }

  /** What a caller may use, as of so long ago at most as the lock allows. */
  private view(listed: Listed, caller: Caller): Effect.Effect<View, TargetFailure> {
    return Effect.flatMap(
      // A decision since then makes the view an old one.
      this.relied(this.lock.current),
      () => {
        const known = this.views.get(this.keyOf(listed.kind, caller))
        return known !== undefined && this.parts.parts.clock.nowMillis() - known.atMillis < this.lock.recheckMillis
          ? Effect.succeed(known)
          : this.look(listed, caller)
      },
    )
  }

  // Lists -------------------------------------------------------------------------------------------------------------

  private list(call: Call, listed: Listed): Effect.Effect<Outcome, TargetFailure> {
    const { caller, params } = call
    return Effect.flatMap(this.inner.call(call), (outcome) => {
      const fields = outcome._tag === "Result" ? Fields.parse(outcome.result) : undefined
      const texts = itemsOf(fields?.get(listed.field))
      if (outcome._tag === "Error" || fields === undefined || texts === undefined) return Effect.succeed(outcome)
      const next = fields.get("nextCursor")
      const isFirst = params?.has("cursor") !== true
      const isAll = isFirst && (next === undefined || next === "null")
      return Effect.map(this.judged(listed, caller, texts, isAll), (judged): Outcome => {
        if (isAll) this.keep(listed, caller, judged)
        this.lastShown.note(caller, listed.kind, judged, isFirst)
        if (judged.isWhole) return outcome
        const result = fields.with(listed.field, arrayOf(judged.shown.map(({ text }) => text))).toJson()
        return { ...outcome, result, conversions: undefined }
      })
    })
  }

  // Use ---------------------------------------------------------------------------------------------------------------

  private named(call: Call, kind: "tool" | "prompt", name: string | undefined): Effect.Effect<Outcome, TargetFailure> {
    if (name === undefined) return this.inner.call(call)
    const listed = byKind[kind]
    return Effect.flatMap(this.view(listed, call.caller), (view) => {
      const shown = view.shown.get(name)
      if (shown === undefined) {
        return this.lock.mode === "observe" && !view.hidden.has(name)
          ? this.inner.call(call)
          : Effect.succeed(unknown[kind](name))
      }
      const before = this.lastShown.hash(call.caller, kind, name)
      // A server may say one thing in one session and another in the next: what counts is what this client was told.
      if (this.lock.mode !== "observe" && before === kept) return Effect.succeed(unknown[kind](name))
      if (this.lock.mode !== "observe" && before !== undefined && !this.lock.isAsShown(before, shown.item)) {
        // Whoever decided to call it decided about something else.
        this.parts.changed(listed.what)
        return Effect.succeed(unknown[kind](name))
      }
      return this.inner.call(call)
    })
  }

  /** A resource that only a hidden template leads to. */
  private addressed(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const uri = call.params?.string("uri")
    const view = this.views.get(this.keyOf("template", call.caller))
    if (uri === undefined || view === undefined || view.hidden.size === 0) return this.inner.call(call)
    const leads = (templates: Iterable<string>): boolean => [...templates].some((one) => mayMatch(one, uri))
    return leads(view.hidden) && !leads(view.shown.keys())
      ? Effect.succeed(unknown.template(uri))
      : this.inner.call(call)
  }

  private complete(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const ref = call.params?.object("ref")
    const kind = ref?.string("type") === "ref/resource" ? "template" : "prompt"
    const name = ref?.string(kind === "template" ? "uri" : "name")
    return Effect.flatMap(this.view(byKind[kind], call.caller), (view) =>
      name !== undefined && view.hidden.has(name) ? Effect.succeed(unknown[kind](name)) : this.inner.call(call),
    )
  }

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> =>
    Effect.suspend(() => {
      const { caller, method, params } = call
      const listed = byMethod.get(method)
      if (listed !== undefined) {
        this.used(caller)
        return this.list(call, listed)
      }
      switch (method) {
        case "tools/call":
          this.used(caller)
          return this.named(call, "tool", params?.string("name"))
        case "prompts/get":
          this.used(caller)
          return this.named(call, "prompt", params?.string("name"))
        case "resources/read":
        case "resources/subscribe":
          return this.addressed(call)
        case "completion/complete":
          return this.complete(call)
        default:
          return this.inner.call(call)
      }
    })

  // Introductions -----------------------------------------------------------------------------------------------------

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    Effect.flatMap(this.inner.discover(caller), (discovery) => {
      const { lock } = this
      const { instructions } = discovery
      const texts = instructions === undefined || instructions === "" ? [] : [asDefinition(instructions)]
      const approved = Effect.flatMap(lock.current, (ready) => lock.met(ready, "instructions", texts))
      return Effect.map(this.relied(approved), (ready): Discovery => {
        const [shown] = lock.judge(ready, "instructions", texts, true).shown
        return {
          ...discovery,
          // What nobody can approve is not told where only what was approved is.
          rest: lock.mode === "observe" ? discovery.rest : undefined,
          capabilities: announcing(discovery.capabilities),
          instructions: shown === undefined ? undefined : asString(shown.text),
        }
      })
    })

  readonly notify = (caller: Caller, method: string, params: Fields | undefined): Effect.Effect<void, TargetFailure> =>
    this.inner.notify(caller, method, params)

  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    Effect.suspend(() => {
      this.used(caller)
      return this.inner.listen(caller, interest, {
        ...events,
        changed: (what) => {
          this.expire(what)
          this.recheckThen(caller, what, () => events.changed(what))
        },
      })
    })

  readonly held = (session: string): Json | undefined => this.inner.held(session)
  readonly restore = (caller: Caller, held: Json): void => this.inner.restore(caller, held)

  readonly release = (caller: Caller): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.lastShown.forget(caller)
      return this.inner.release(caller)
    })

  readonly close = (): void => {
    this.isClosed = true
    this.disarm?.()
    this.lastCaller = undefined
    this.views.clear()
    this.lastShown.clear()
    this.inner.close()
  }
}

/** The gateway itself sees changes, so it can tell of them even where the server would not. */
const announcing = (capabilities: Json): Json => {
  let all = Fields.parse(capabilities) ?? Fields.empty
  for (const what of ["tools", "prompts"]) {
    const one = all.object(what)
    if (one !== undefined) all = all.with(what, one.with("listChanged", "true").toJson())
  }
  return all.toJson()
}
