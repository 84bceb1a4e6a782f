/**
 * Makes a snapshot the one that serves: validate, compile, open what must be opened, and only then swap.
 * Whatever fails on the way leaves everything as it was, sockets included.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Bind, ListenAddress } from "../../ir/Bind.ts"
import { type Changes, changedPart } from "../../ir/diff.ts"
import type { BindKey } from "../../ir/Key.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { validate } from "../../ir/validate.ts"
import { changesTo, compile, type CompilePorts } from "../../stages/compile.ts"
import type { Live, Plan } from "../../stages/Plan.ts"
import type { Address } from "../../stages/Connection.ts"
import type { Listening, Network, Socket } from "../../stages/ports/Network.ts"
import type { Unusable } from "./Source.ts"
import { listenRemedy } from "./listenRemedy.ts"

/** An open listening socket; binds may take it over from one another without closing it. */
interface Opened {
  bind: BindKey
  /** Connections that came before anything served them; undefined once something does. */
  early: Array<Socket> | undefined
  readonly listening: Listening
  readonly scope: Scope.Closeable
}

export interface PublishPorts {
  readonly compile: CompilePorts
  /** Makes ready what a snapshot, or what is new in it, cannot be compiled without. */
  readonly need?: (snapshot: Snapshot) => Effect.Effect<void>
  /** What else is wrong with a snapshot, one line each. */
  readonly check?: (snapshot: Snapshot) => ReadonlyArray<string>
  readonly network: Network["Service"]
  readonly ipv6: boolean
  readonly connectionsMax: number
  readonly onSocket: (bind: BindKey, socket: Socket) => void
  /** Called after the swap, with what served before. */
  readonly onSwap: (before: Plan, after: Plan, changes: Changes) => void
}

const addressKey = (address: ListenAddress): string | undefined => {
  switch (address._tag) {
    case "Ip":
      return `ip ${address.host ?? "*"} ${address.port}`
    case "Unix":
      return `unix ${address.path}`
    case "Internal":
      return undefined
  }
}

const describe = (address: ListenAddress): string => {
  switch (address._tag) {
    case "Ip":
      return `${address.host ?? "*"}:${address.port}`
    case "Unix":
      return address.path
    case "Internal":
      return "internal"
  }
}

/** A change that can no longer fail. */
export interface Prepared {
  readonly commit: Effect.Effect<void>
  readonly abort: Effect.Effect<void>
}

/** One that can say what it changes of what serves. */
export interface PreparedHere extends Prepared {
  readonly changes: Changes
}

/** Changes that can break nothing but what they bring: others do not refer to these. */
const leaves: ReadonlyArray<keyof Changes> = ["routes", "tcpRoutes", "workloads"]

/**
 * What has to be looked at again; undefined for everything. One new route among ten thousand must not have all of them
 * judged again, but whatever is taken away, or is referred to, may leave others without what they need.
 */
const partToCheck = (changes: Changes): Snapshot | undefined => {
  const isContained = Object.entries(changes).every(
    ([table, { added, changed, removed }]) =>
      removed.size === 0 && (leaves.includes(table as keyof Changes) || added.size + changed.size === 0),
  )
  return isContained ? changedPart(changes) : undefined
}

export const make = (ports: PublishPorts, live: Live) => {
  const opened = new Map<string, Opened>()

  const open = (key: string, bind: Bind): Effect.Effect<Opened, Unusable> =>
    Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      const state: Pick<Opened, "bind" | "early"> = { bind: bind.key, early: [] }
      const listen = ports.network.listen(
        { address: bind.address, ipv6: ports.ipv6, connectionsMax: ports.connectionsMax },
        (socket) => {
          if (state.early === undefined) ports.onSocket(state.bind, socket)
          else state.early.push(socket)
        },
      )
      return Scope.provide(listen, scope).pipe(
        Effect.map((listening): Opened => Object.assign(state, { listening, scope })),
        Effect.catch((failure) =>
          Effect.andThen(
            Scope.close(scope, Exit.void),
            Effect.fail<Unusable>({
              _tag: "Unusable",
              problems: [
                `bind ${bind.key}: cannot listen on ${describe(bind.address)}: ${failure.message}. ${listenRemedy(failure.message, "choose another")}`,
              ],
            }),
          ),
        ),
        Effect.tap((one) => Effect.sync(() => void opened.set(key, one))),
      )
    })

  const close = (key: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const one = opened.get(key)
      opened.delete(key)
      if (one === undefined) return Effect.void
      for (const socket of one.early ?? []) socket.destroy()
      return Scope.close(one.scope, Exit.void)
    })

  const prepare = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const before = live.current
    const changes = changesTo(snapshot, before)
    const part = partToCheck(changes)
    const problems = validate(snapshot, part).filter(({ severity }) => severity === "error")
    if (problems.length > 0) {
      return yield* Effect.fail<Unusable>({
        _tag: "Unusable",
        problems: problems.map(
          ({ message, path, remedy, resource }) =>
            `${resource.table}.${[resource.key, ...path].join(".")}: ${message}. ${remedy}`,
        ),
      })
    }
    const wrong = ports.check?.(part ?? snapshot) ?? []
    if (wrong.length > 0) return yield* Effect.fail<Unusable>({ _tag: "Unusable", problems: wrong })
    if (ports.need !== undefined) yield* ports.need(part ?? snapshot)
    const plan = yield* compile(ports.compile, snapshot, before, changes)

    const wanted = new Map<string, Bind>()
    for (const bind of snapshot.binds.values()) {
      const key = addressKey(bind.address)
      if (key !== undefined) wanted.set(key, bind)
    }
    const fresh: Array<string> = []
    const abort = Effect.suspend(() => Effect.forEach(fresh, close, { discard: true }))
    for (const [key, bind] of wanted) {
      if (opened.has(key)) continue
      yield* Effect.tapError(open(key, bind), () => abort)
      fresh.push(key)
    }

    const commit = Effect.suspend(() => {
      live.current = plan
      for (const [key, bind] of wanted) {
        const one = opened.get(key)
        if (one === undefined) continue
        one.bind = bind.key
        const { early } = one
        one.early = undefined
        for (const socket of early ?? []) ports.onSocket(bind.key, socket)
      }
      const gone = [...opened.keys()].filter((key) => !wanted.has(key))
      return Effect.andThen(
        Effect.forEach(gone, close, { discard: true }),
        Effect.sync(() => ports.onSwap(before, plan, changes)),
      )
    })
    return { commit, abort, changes } satisfies PreparedHere
  })

  return {
    /** Everything that can fail; what is prepared must be committed or aborted. */
    prepare: (snapshot: Snapshot): Effect.Effect<PreparedHere, Unusable> => Effect.uninterruptible(prepare(snapshot)),
    /** Where each bind really listens. */
    addresses: (): ReadonlyMap<BindKey, Address> =>
      new Map([...opened.values()].map(({ bind, listening }) => [bind, listening.address])),
    /** No new connections anywhere. */
    stop: () => {
      for (const { listening } of opened.values()) listening.stop()
    },
    close: Effect.suspend(() => Effect.forEach([...opened.keys()], close, { discard: true })),
  }
}
