/** From what the configuration says of a target to the target. */
import * as Effect from "effect/Effect"
import type { McpTarget as Described } from "../../../../ir/backend/Mcp.ts"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { oauthOfTarget } from "../../../../ir/backend/mcpTargets.ts"
import { defaults } from "../../../../ir/defaults.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Neighbours } from "../../lock/ServerLock.ts"
import { LockedTarget } from "../lock/LockedTarget.ts"
import { bearerOf } from "../oauth/Granted.ts"
import { OauthTarget } from "../oauth/OauthTarget.ts"
import { A2aTarget } from "./a2a/A2aTarget.ts"
import { ChannelWire } from "./ChannelWire.ts"
import { HttpTarget, type Kind } from "./HttpTarget.ts"
import { LegacyTarget } from "./LegacyTarget.ts"
import { LegacyTasks } from "./LegacyTasks.ts"
import type { McpTarget, TargetFailure } from "./McpTarget.ts"
import type { Bearer, Place } from "./outgoing.ts"
import { ModernTarget } from "./ModernTarget.ts"
import { OpenApiTarget } from "./OpenApiTarget.ts"
import { SessionHttp } from "./SessionHttp.ts"
import { isShaped, shaped } from "./ShapedTarget.ts"
import { makeStdioTarget } from "./StdioTarget.ts"
import { sseChannel } from "./sseChannel.ts"
import { statelessHttp } from "./StatelessHttp.ts"

export type Changed = (what: "tools" | "prompts" | "resources") => void

type Http = Extract<Described, { readonly _tag: "Http" | "Sse" }>

/** What requests to a target carry; undefined: nobody is granted anything there. */
const bearerFor = (oauth: McpOauth | undefined, { connections, sealer }: McpRuntime): Bearer | undefined =>
  oauth === undefined || connections === undefined ? undefined : bearerOf(connections, oauth, sealer)

/** Over HTTP, as one kind of server. */
const overHttp = (target: Http, runtime: McpRuntime, changed: Changed, kind: Kind): McpTarget => {
  const { callee, deadlines, name, oauth, passVersion, path } = target
  const bearer = bearerFor(oauth, runtime)
  const place: Place = bearer === undefined ? { callee, path } : { callee, path, bearer }
  const idleMillis = deadlines.idleMillis ?? defaults.mcpIdleTimeoutMillis
  if (kind === "modern") {
    return new ModernTarget({
      name,
      runtime,
      wire: statelessHttp(place, runtime.clock),
      hasHeaders: true,
      idleMillis,
      changed,
      close: () => {},
    })
  }
  const legacy = new LegacyTarget({
    name,
    runtime,
    open: (exchange, unrelated, held) =>
      kind === "sse"
        ? ChannelWire.open(sseChannel(place, runtime), exchange, runtime.clock, unrelated)
        : Effect.succeed(new SessionHttp(place, runtime.clock, unrelated, held)),
    startMillis: kind === "sse" ? limits.endpointEventMillis + limits.probeMillis : 2 * limits.probeMillis,
    idleMillis,
    isShared: false,
    poolMax: limits.poolSessionsMax,
    poolIdleMillis: limits.poolIdleMillis,
    passVersion,
    changed,
  })
  return new LegacyTasks(legacy, runtime)
}

export const makeHttpTarget = (target: Http, runtime: McpRuntime, changed: Changed): McpTarget => {
  if (target._tag === "Sse") return overHttp(target, runtime, changed, "sse")
  if (target.era !== "auto") return overHttp(target, runtime, changed, target.era)
  return new HttpTarget({ name: target.name, runtime, make: (kind) => overHttp(target, runtime, changed, kind) })
}

/** A target that cannot be had, and says why. */
const unavailable = (name: string, message: string): McpTarget => {
  const failed: Effect.Effect<never, TargetFailure> = Effect.fail({
    _tag: "Unreachable",
    target: name,
    message,
    began: false,
  })
  return {
    name,
    discover: () => failed,
    call: () => failed,
    notify: () => Effect.void,
    listen: () => failed,
    held: () => undefined,
    restore: () => {},
    release: () => Effect.void,
    close: () => {},
  }
}

/** What stands behind a target. */
export const makeMcpTarget = (
  described: Described,
  runtime: McpRuntime,
  changed: Changed,
  neighbours: () => Neighbours = alone,
): McpTarget => {
  const target = asShown(described, runtime, changed, neighbours)
  const oauth = oauthOfTarget(described)
  if (oauth === undefined) return target
  return runtime.connections === undefined
    ? unavailable(described.name, "nobody can grant anything here")
    : new OauthTarget(target, oauth, runtime.connections, runtime, changed, described._tag === "OpenApi")
}

const nobody: Neighbours = { servers: [], tools: [] }
const alone = (): Neighbours => nobody

/** What is approved is what the server itself says, whatever is made of it for clients. */
const underLock = (
  described: Described,
  runtime: McpRuntime,
  changed: Changed,
  neighbours: () => Neighbours,
): McpTarget => {
  const { lock, name } = described
  if (lock === undefined) return plain(described, runtime, changed)
  return runtime.lock === undefined
    ? unavailable(name, "nothing can be approved here")
    : new LockedTarget({ server: name, lock, parts: runtime.lock, neighbours, changed }, (heard) =>
        plain(described, runtime, heard),
      )
}

const asShown = (
  described: Described,
  runtime: McpRuntime,
  changed: Changed,
  neighbours: () => Neighbours,
): McpTarget => {
  const target = underLock(described, runtime, changed, neighbours)
  const { expressions } = runtime
  if (!isShaped(described.tools)) return target
  return expressions === undefined
    ? unavailable(described.name, "its tools cannot be shaped here")
    : shaped(target, described.tools, expressions)
}

const plain = (described: Described, runtime: McpRuntime, changed: Changed): McpTarget => {
  const { documents, processes } = runtime
  switch (described._tag) {
    case "Http":
    case "Sse":
      return makeHttpTarget(described, runtime, changed)
    case "Stdio":
      return processes === undefined
        ? unavailable(described.name, "there are no processes here")
        : makeStdioTarget(described, runtime, processes, changed)
    case "OpenApi":
      return documents === undefined
        ? unavailable(described.name, "there are no documents here")
        : new OpenApiTarget(described, runtime, documents, changed, bearerFor(described.oauth, runtime))
    case "A2a":
      return new A2aTarget(described, runtime, changed)
  }
}
