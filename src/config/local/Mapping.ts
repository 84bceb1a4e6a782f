/** What the steps from file to snapshot share: where complaints go, and what is known while mapping. */
import * as Result from "effect/Result"
import type { Backend, HostTarget } from "../../../ir/Backend.ts"
import type { BackendRef } from "../../../ir/BackendRef.ts"
import type { BackendKey, RouteGroupKey, ServiceKey } from "../../../ir/Key.ts"
import type { Path } from "../ConfigIssue.ts"
import type { Parsed } from "../Complaint.ts"
import { chooseFrom } from "../suggest.ts"
import * as TargetText from "../target.ts"
import { type Kind, refusal } from "./built.ts"
import { error, type Problem, warning } from "./Problem.ts"

/** Files by name as the configuration writes them; a failure says why one could not be read. */
export type Contents = ReadonlyMap<string, Result.Result<string, string>>

export interface Mapping {
  /** Of the process: for secrets that files are better without. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly names: Names
  readonly problems: Array<Problem>
  readonly backends: Map<BackendKey, Backend>
  /** Files asked for and not among the contents, with the places that ask. */
  readonly needed: Map<string, Array<Path>>
  readonly fail: (path: Path, message: string, remedy?: string) => undefined
  readonly warn: (path: Path, message: string, remedy?: string) => undefined
  /** True, and said so, where the gateway cannot do this yet. */
  readonly refused: (kind: Kind, name: string, path: Path) => boolean
  readonly file: (name: string, path: Path) => string | undefined
  readonly accept: <A>(parsed: Parsed<A>, path: Path) => A | undefined
  readonly host: (target: HostTarget) => BackendRef
  readonly backend: (name: string, path: Path) => BackendRef | undefined
  readonly service: (name: string, port: number, path: Path) => BackendRef | undefined
  readonly group: (name: string, path: Path) => BackendRef | undefined
}

export type Section = "gateways" | "backends" | "services" | "routeGroups"

/** Names that exist, so that a reference to none of them is found where it is written. */
export interface Names {
  readonly gateways: ReadonlySet<string>
  /** Gateways of which something could not be read: their protocol, for instance. */
  readonly damaged: ReadonlySet<string>
  readonly backends: ReadonlySet<string>
  /** With their ports, where those are known. */
  readonly services: ReadonlyMap<string, ReadonlySet<string> | undefined>
  readonly groups: ReadonlySet<string>
  /** Sections that could not be read in full, so that a name may be there without being known. */
  readonly unread: ReadonlySet<Section>
  /** Whether limits can be shared with other gateways. */
  readonly hasRedis: boolean
}

export const noNames: Names = {
  gateways: new Set(),
  damaged: new Set(),
  backends: new Set(),
  services: new Map(),
  groups: new Set(),
  unread: new Set(),
  hasRedis: false,
}

const lookFor = (name: string): string => {
  if (name.startsWith("~")) return "A `~` stands for nothing here: write `$HOME`."
  return name.startsWith("/")
    ? "Check the path and its permissions."
    : "Check the path, which is taken from the directory the process was started in, and its permissions."
}

export const make = (names: Names, contents: Contents, env: Mapping["env"] = {}): Mapping => {
  const problems: Array<Problem> = []
  const backends = new Map<BackendKey, Backend>()
  const needed = new Map<string, Array<Path>>()
  const complained = new Set<string>()
  const fail = (path: Path, message: string, remedy = ""): undefined => {
    problems.push(error(path, message, remedy))
  }
  return {
    env,
    names,
    problems,
    backends,
    needed,
    fail,
    warn: (path, message, remedy = "") => {
      problems.push(warning(path, message, remedy))
    },
    refused: (kind, name, path) => {
      const message = refusal(kind, name)
      if (message === undefined) return false
      problems.push({ ...error(path, message, "Remove it, or wait for a release that has it."), at: "key" })
      return true
    },
    file: (name, path) => {
      const content = contents.get(name)
      if (content === undefined) {
        needed.set(name, [...(needed.get(name) ?? []), path])
        return undefined
      }
      if (Result.isSuccess(content)) return content.success
      const once = `${name}\0${path.join("\0")}`
      if (!complained.has(once)) fail(path, `cannot read ${name}: ${content.failure}`, lookFor(name))
      complained.add(once)
      return undefined
    },
    accept: (parsed, path) =>
      Result.isSuccess(parsed) ? parsed.success : fail(path, parsed.failure.message, parsed.failure.remedy),
    host: (target) => {
      const key = `host/${TargetText.format(target)}` as BackendKey
      if (!backends.has(key)) backends.set(key, { _tag: "Host", key, target, policies: [] })
      return { _tag: "Backend", backend: key }
    },
    backend: (name, path) => {
      for (const key of [name, `/${name}`]) {
        if (names.backends.has(key)) return { _tag: "Backend", backend: key as BackendKey }
      }
      if (names.unread.has("backends")) return undefined
      return fail(path, `unknown backend \`${name}\``, chooseFrom(name, [...names.backends]) || "Add it to `backends`.")
    },
    service: (name, port, path) => {
      const ports = names.services.get(name)
      if (!names.services.has(name)) {
        if (names.unread.has("services")) return undefined
        const shape = name.includes("/") ? "Add it to `services`." : "A service is named `namespace/hostname`."
        return fail(path, `unknown service \`${name}\``, chooseFrom(name, [...names.services.keys()]) || shape)
      }
      if (ports !== undefined && !ports.has(String(port))) {
        return fail(path, `service \`${name}\` has no port ${port}`, `It has ${[...ports].join(", ") || "none"}.`)
      }
      return { _tag: "Service", service: name as ServiceKey, port }
    },
    group: (name, path) => {
      if (names.groups.has(name)) return { _tag: "Group", group: name as RouteGroupKey }
      if (names.unread.has("routeGroups")) return undefined
      const remedy = chooseFrom(name, [...names.groups]) || "Add it to `routeGroups`."
      return fail(path, `unknown route group \`${name}\``, remedy)
    },
  }
}
