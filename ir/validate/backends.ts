/** Backends, and what is behind those made of several. */
import type { Backend } from "../Backend.ts"
import { kindOf } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import type { BackendKey } from "../Key.ts"
import { calleeReferences, type Path } from "../references.ts"
import type { Snapshot } from "../Snapshot.ts"
import { backendPolicies } from "./backendPolicies.ts"
import { backendRef } from "./backendRefs.ts"
import { type At, type Found, issue } from "./Found.ts"

type AgentsBackend = Extract<Backend, { readonly _tag: "A2a" }>
type McpBackend = Extract<Backend, { readonly _tag: "Mcp" }>

export function* backends(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  for (const backend of part.backends.values()) {
    const at = (found: Found) => issue("backends", backend.key, found)
    yield* backendPolicies(snapshot, undefined, backend.policies, ["policies"], at, kindOf(backend))
    if (backend._tag === "Mcp") yield* mcp(snapshot, backend, at)
    if (backend._tag === "A2a") yield* agents(snapshot, backend, at)
  }
}

function* agents(snapshot: Snapshot, backend: AgentsBackend, at: At): Iterable<Issue> {
  const names = new Set<string>()
  for (const [i, agent] of backend.agents.entries()) {
    const path = ["agents", i]
    if (names.has(agent.name)) {
      yield at({
        code: "unreachable",
        path: [...path, "name"],
        message: `another agent is called ${agent.name}`,
        remedy: "give every agent a name of its own",
      })
    }
    names.add(agent.name)
    yield* backendRef(snapshot, agent.backend, [...path, "backend"], at)
    yield* backendPolicies(snapshot, agent.backend, agent.policies, [...path, "policies"], at)
    const kind = agent.backend._tag === "Backend" ? snapshot.backends.get(agent.backend.backend)?._tag : undefined
    if (agent.backend._tag === "Service" || kind === undefined || kind === "Host" || kind === "AgentCore") continue
    const isPublished = agent.policies.some((policy) => policy._tag === "A2a" && policy.publish !== undefined)
    if (isPublished && (kind === "Llm" || kind === "Models" || kind === "Mcp")) continue
    yield at({
      code: "value",
      path: [...path, "backend"],
      message: `an agent must be at a host or a service, not at a backend of kind ${kind}`,
      remedy: "name a backend with `host`, or a service, or say what is published with `policies.a2a.publish`",
    })
  }
}

function* mcp(snapshot: Snapshot, backend: McpBackend, at: At): Iterable<Issue> {
  const names = new Set<string>()
  for (const [i, target] of backend.targets.entries()) {
    const path = ["targets", i]
    if (names.has(target.name)) {
      yield at({
        code: "unreachable",
        path: [...path, "name"],
        message: `another target is called ${target.name}`,
        remedy: "give every target a name of its own",
      })
    }
    names.add(target.name)
    if (target._tag === "Stdio") continue
    for (const found of calleeReferences(target.callee, [...path, "callee"])) {
      if (found.ref._tag === "Backend" || found.ref._tag === "Service") {
        yield* backendRef(snapshot, found.ref, found.path, at)
        if (found.ref._tag === "Backend") {
          yield* reachable(snapshot, target._tag === "A2a", found.ref.backend, found.path, at)
        }
      } else {
        yield at({
          code: "value",
          path: found.path,
          message: "an MCP target is a backend or a service",
          remedy: "name a backend or a service",
        })
      }
    }
  }
}

function* reachable(snapshot: Snapshot, isAgent: boolean, key: BackendKey, path: Path, at: At): Iterable<Issue> {
  const kind = snapshot.backends.get(key)?._tag
  if (kind === undefined || kind === "Host" || (isAgent && kind === "A2a")) return
  yield at({
    code: "value",
    path,
    message: isAgent
      ? `an agent is at a host, or one of several; ${key} is of kind ${kind}`
      : `an MCP target must lead to a host; ${key} is of kind ${kind}`,
    remedy: isAgent ? "name a backend with `host` or `a2a`, or a service" : "name a backend with `host`, or a service",
  })
}
