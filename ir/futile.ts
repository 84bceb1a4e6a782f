/** Policies that would change nothing where they stand, because what they are sent to is of another kind. */
import type { Backend } from "./Backend.ts"
import type { BackendRef } from "./BackendRef.ts"
import { placement } from "./placement.ts"
import type { BackendKind, BackendPolicy, TrafficPolicy } from "./Policy.ts"
import type { Route } from "./Route.ts"
import type { Snapshot } from "./Snapshot.ts"

/** What a request may be sent to. */
export type Destination = Exclude<Backend["_tag"], "Invalid"> | "Service"

/** Undefined: it is not known here, or it is nothing at all and said so elsewhere. */
export const destinationOf = (snapshot: Snapshot, ref: BackendRef): Destination | undefined => {
  switch (ref._tag) {
    case "Service":
    case "Dynamic":
      return ref._tag
    case "Backend":
      return kindOf(snapshot.backends.get(ref.backend))
    default:
      return undefined
  }
}

export const destinationsOf = (snapshot: Snapshot, { backends }: Route): ReadonlyArray<Destination | undefined> =>
  backends.map(({ backend }) => destinationOf(snapshot, backend))

export const kindOf = (backend: Backend | undefined): Destination | undefined =>
  backend === undefined || backend._tag === "Invalid" ? undefined : backend._tag

export interface Futile {
  readonly message: string
  readonly remedy: string
  readonly severity?: "warning"
}

interface Needs {
  readonly destinations: ReadonlyArray<Destination>
  readonly where: string
  readonly remedy: string
  readonly severity?: "warning"
}

const mcpOnly: Needs = {
  destinations: ["Mcp"],
  where: "judges MCP servers behind an `mcp` backend",
  remedy: "move it to a backend with `mcp`, or remove it",
}

const modelsOnly: Needs = {
  destinations: ["Llm", "Models"],
  where: "acts on calls of models",
  remedy: "move it to a route or backend with models, or remove it",
}

/** Kinds that do not act on every destination. */
const needs: { readonly [K in BackendKind]?: Needs } = {
  McpAuthorization: mcpOnly,
  McpGuardrails: mcpOnly,
  Ai: modelsOnly,
  A2a: {
    destinations: ["Host", "Service", "Dynamic", "AgentCore", "A2a", "Internal"],
    where: "acts on calls of agents",
    remedy: "move it to a backend that is an agent, or remove it",
  },
  // One endpoint has nobody to stand in for it; a file that says so is common, and harmless.
  Health: {
    destinations: ["Service", "Llm", "Models"],
    where: "chooses among several endpoints",
    remedy: "move it to a reference to a service or to models, or remove it",
    severity: "warning",
  },
}

const published: Needs = {
  destinations: ["Llm", "Models", "Mcp"],
  where: "with `publish` makes an agent of models or MCP servers",
  remedy: "move it to a backend with `ai` or `mcp`, or remove `publish`",
}

const spelled = (kind: BackendKind): string => placement[kind].spelling

/** Why a policy changes nothing about requests to such a destination; undefined: it does. */
export const futileAt = (policy: BackendPolicy, destination: Destination | undefined): Futile | undefined => {
  const isProbed = policy._tag === "Health" && policy.active !== undefined
  if (isProbed && destination !== undefined && destination !== "Llm" && destination !== "Models") {
    return {
      message: "health.active asks providers of models, and this is none",
      remedy: "leave out active, or move it to a backend with models",
    }
  }
  const wanted = policy._tag === "A2a" && policy.publish !== undefined ? published : needs[policy._tag]
  if (destination === undefined || wanted === undefined || wanted.destinations.includes(destination)) return undefined
  const { remedy, severity, where } = wanted
  return {
    message: `${spelled(policy._tag)} ${where}, and this is none`,
    remedy,
    ...(severity === undefined ? {} : { severity }),
  }
}

/** What acts on a raw connection. */
const onRaw: ReadonlySet<BackendKind> = new Set(["BackendTls", "BackendTunnel", "BackendTcp", "Health"])

/** Why a policy changes nothing about raw connections; undefined: it does. */
export const futileOnRaw = (policy: BackendPolicy): Futile | undefined => {
  if (policy._tag === "Health" && policy.unhealthyExpression !== undefined) {
    return {
      message: "an expression of health looks at replies, and a raw connection has none",
      remedy: "leave out unhealthyExpression",
    }
  }
  return onRaw.has(policy._tag)
    ? undefined
    : {
        message: `${spelled(policy._tag)} has no effect on raw connections`,
        remedy: "remove it here, or use an HTTP route",
      }
}

/** Why a destination takes no raw connections; undefined: it does. */
export const notRaw = (destination: Destination | undefined): Futile | undefined =>
  destination === undefined || destination === "Host" || destination === "Service" || destination === "Dynamic"
    ? undefined
    : {
        message: `a backend of kind ${destination} takes no raw connections`,
        remedy: "name a host or a service, or use an HTTP route",
      }

/** Why a policy of a route changes nothing where all requests go to such destinations; undefined: it does. */
export const futileOnRoute = (
  policy: TrafficPolicy,
  destinations: ReadonlyArray<Destination | undefined>,
): Futile | undefined => {
  if (destinations.length === 0) return undefined
  const hasModels = destinations.some((one) => one === undefined || one === "Llm" || one === "Models")
  if (hasModels) return undefined
  const isIdle =
    policy._tag === "Ai"
      ? "ai"
      : policy._tag === "LocalRateLimit" && policy.limits.some(({ type }) => type === "tokens")
        ? "a limit on tokens"
        : policy._tag === "RemoteRateLimit" && policy.descriptors.some(({ type }) => type === "tokens")
          ? "a descriptor for tokens"
          : undefined
  return isIdle === undefined
    ? undefined
    : {
        message: `${isIdle} acts on calls of models, and no backend of the route is one`,
        remedy: "count requests, or move it to a route with models",
      }
}
