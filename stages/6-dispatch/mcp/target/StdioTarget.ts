/**
 * A server behind pipes. Which era it speaks is found out by asking a first process the new way: some old servers end,
 * or fall silent for good, when they are asked anything before the handshake, so that process is not used for more then.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { McpTarget as Described } from "../../../../ir/backend/Mcp.ts"
import { defaults } from "../../../../ir/defaults.ts"
import type { Fields, Json } from "../../../../protocols/mcp/json.ts"
import { codes } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Processes } from "../../../ports/Processes.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { ChannelWire } from "./ChannelWire.ts"
import { LegacyTarget } from "./LegacyTarget.ts"
import { LegacyTasks } from "./LegacyTasks.ts"
import type { Changed } from "./makeTarget.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { ModernTarget } from "./ModernTarget.ts"
import { statelessChannel } from "./StatelessChannel.ts"
import { type StdioChannels, stdioChannels } from "./stdioChannel.ts"

type Stdio = Extract<Described, { readonly _tag: "Stdio" }>

const modernCodes: ReadonlySet<number | undefined> = new Set([
  codes.headerMismatch,
  codes.missingCapability,
  codes.unsupportedVersion,
])

const isModern = (failure: TargetFailure): boolean => failure._tag === "Unreachable" && modernCodes.has(failure.code)

/** Stops the process when nothing has gone through it for a while. */
class Idle {
  private readonly runtime: McpRuntime
  private readonly millis: number
  private readonly stop: () => void
  private active = 0
  private disarm: (() => void) | undefined

  constructor(runtime: McpRuntime, millis: number, stop: () => void) {
    this.runtime = runtime
    this.millis = millis
    this.stop = stop
  }

  readonly during = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      this.active++
      this.disarm?.()
      this.disarm = undefined
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          if (--this.active === 0) this.disarm = this.runtime.clock.after(this.millis, this.stop)
        }),
      )
    })

  readonly end = (): void => this.disarm?.()
}

const legacy = (target: Stdio, runtime: McpRuntime, channels: StdioChannels, changed: Changed): McpTarget =>
  new LegacyTasks(
    new LegacyTarget({
      name: target.name,
      runtime,
      open: (exchange, unrelated) => ChannelWire.open(channels.open, exchange, runtime.clock, unrelated),
      startMillis: limits.introductionMillis,
      idleMillis: target.deadlines.idleMillis ?? defaults.mcpIdleTimeoutMillis,
      isShared: target.process.shared,
      poolMax: target.process.processesMax,
      poolIdleMillis: target.process.idleMillis,
      passVersion: target.passVersion,
      changed,
    }),
    runtime,
  )

const modern = (target: Stdio, runtime: McpRuntime, channels: StdioChannels, changed: Changed): McpTarget => {
  const { close, wire } = statelessChannel(channels.open, runtime)
  const idle = new Idle(runtime, target.process.idleMillis, close)
  return new ModernTarget({
    name: target.name,
    runtime,
    wire: (request) => idle.during(wire(request)),
    hasHeaders: false,
    idleMillis: target.deadlines.idleMillis ?? defaults.mcpIdleTimeoutMillis,
    changed,
    close: () => {
      idle.end()
      close()
    },
  })
}

class EitherTarget implements McpTarget {
  readonly name: string
  private readonly runtime: McpRuntime
  private readonly channels: StdioChannels
  private readonly make: (era: "legacy" | "modern") => McpTarget
  private verdict: McpTarget | undefined
  private probing: Deferred.Deferred<McpTarget, TargetFailure> | undefined

  constructor(
    name: string,
    runtime: McpRuntime,
    channels: StdioChannels,
    make: (era: "legacy" | "modern") => McpTarget,
  ) {
    this.name = name
    this.runtime = runtime
    this.channels = channels
    this.make = make
  }

  /**
   * A process that is silent may be slow or wedged. After a while another one is asked the old way beside it, and whoever
   * answers first has said what the program speaks: one that is merely slow to start still answers the first question
   * first.
   */
  private probe(caller: Caller): Effect.Effect<McpTarget, TargetFailure> {
    return Effect.suspend(() => {
      const first = this.make("modern")
      let second: McpTarget | undefined
      const old = (): McpTarget => (second ??= this.make("legacy"))
      const asked = Effect.matchEffect(first.discover(caller), {
        onSuccess: () => Effect.succeed(first),
        onFailure: (failure): Effect.Effect<McpTarget, TargetFailure> => {
          if (isModern(failure)) return Effect.succeed(first)
          // Where there was no process nothing was found out.
          return this.channels.failedToStart() || failure._tag === "Busy" ? Effect.fail(failure) : Effect.sync(old)
        },
      })
      const beside = Effect.andThen(
        Effect.sleep(limits.stdioProbeMillis),
        Effect.suspend(() => {
          const target = old()
          return Effect.matchEffect(target.discover(caller), {
            onSuccess: () => Effect.succeed(target),
            onFailure: (): Effect.Effect<McpTarget> => Effect.never,
          })
        }),
      )
      return Effect.raceFirst(asked, beside).pipe(
        Effect.timeoutOrElse({
          duration: limits.introductionMillis,
          orElse: () =>
            Effect.fail<TargetFailure>({ _tag: "TimedOut", target: this.name, message: "no reply in time" }),
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const found = Exit.isSuccess(exit) ? exit.value : undefined
            if (found !== first) first.close()
            if (found !== second) second?.close()
            // What ended because it was asked the wrong way did not fail.
            if (found !== undefined) this.channels.forgive()
          }),
        ),
      )
    })
  }

  /** Goes on even if whoever asked first has left: others may wait for it by then. */
  private find(caller: Caller): Effect.Effect<McpTarget, TargetFailure> {
    return Effect.suspend(() => {
      if (this.verdict !== undefined) return Effect.succeed(this.verdict)
      if (this.probing !== undefined) return Deferred.await(this.probing)
      const probing = (this.probing = Deferred.makeUnsafe<McpTarget, TargetFailure>())
      this.runtime.run(
        Effect.onExit(this.probe(caller), (exit) =>
          Effect.sync(() => {
            this.probing = undefined
            if (Exit.isSuccess(exit)) this.verdict = exit.value
            const closed: TargetFailure = {
              _tag: "Unreachable",
              target: this.name,
              message: "closed by the gateway",
              began: false,
            }
            Deferred.doneUnsafe(probing, Exit.isFailure(exit) && Exit.hasInterrupts(exit) ? Exit.fail(closed) : exit)
          }),
        ),
      )
      return Deferred.await(probing)
    })
  }

  /** A server that turns out to speak the other way after all, because another program runs by now, is asked anew. */
  private with<A>(
    caller: Caller,
    run: (target: McpTarget) => Effect.Effect<A, TargetFailure>,
    again = true,
  ): Effect.Effect<A, TargetFailure> {
    return Effect.flatMap(this.find(caller), (target) =>
      Effect.catch(run(target), (failure) => {
        if (!again || failure._tag !== "Unreachable" || failure.began || failure.code === undefined) {
          return Effect.fail(failure)
        }
        if (this.verdict === target) {
          this.verdict = undefined
          target.close()
        }
        return this.with(caller, run, false)
      }),
    )
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.with(caller, (target) => target.discover(caller))
  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> =>
    this.with(call.caller, (target) => target.call(call))
  readonly notify = (caller: Caller, method: string, params: Fields | undefined): Effect.Effect<void, TargetFailure> =>
    this.with(caller, (target) => target.notify(caller, method, params))
  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.with(caller, (target) => target.listen(caller, interest, events))
  /** Pipes end where they begin: no other worker can take them over. */
  readonly held = (): undefined => undefined
  readonly restore = (_caller: Caller, _held: Json): void => {}
  readonly release = (caller: Caller): Effect.Effect<void> =>
    this.verdict === undefined ? Effect.void : this.verdict.release(caller)
  readonly close = (): void => {
    this.verdict?.close()
    this.channels.close()
  }
}

/** As a target that lets go of its processes when it is closed. */
const closing = (target: McpTarget, channels: StdioChannels): McpTarget => ({
  name: target.name,
  discover: target.discover,
  call: target.call,
  notify: target.notify,
  listen: target.listen,
  held: () => undefined,
  restore: () => {},
  release: target.release,
  close: () => {
    target.close()
    channels.close()
  },
})

/** What a program wrote is quoted: it may hold anything, and must not look like a line of our own. */
const lastWords = (name: string, how: string, complaint: string): string =>
  `MCP target ${name}: ${how}${complaint.trim() === "" ? "" : `; it wrote ${JSON.stringify(complaint.trim())}`}`

export const makeStdioTarget = (
  target: Stdio,
  runtime: McpRuntime,
  processes: Processes,
  changed: Changed,
): McpTarget => {
  const channels = stdioChannels(target.process, {
    clock: runtime.clock,
    processes,
    complain: (how, complaint) => void runtime.run(Effect.logWarning(lastWords(target.name, how, complaint))),
  })
  const make = (era: "legacy" | "modern"): McpTarget =>
    era === "legacy" ? legacy(target, runtime, channels, changed) : modern(target, runtime, channels, changed)
  return target.era === "auto"
    ? new EitherTarget(target.name, runtime, channels, make)
    : closing(make(target.era), channels)
}
