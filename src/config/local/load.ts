/** Text to everything the gateway is told: read, decode, resolve what it refers to, map, validate. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { oauthOfTarget } from "../../../ir/backend/mcpTargets.ts"
import { parseFunctions } from "../../../ir/cel/customFunctions.ts"
import type { Issue } from "../../../ir/Issue.ts"
import { placement } from "../../../ir/placement.ts"
import type { PolicyKind } from "../../../ir/placement.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { validate } from "../../../ir/validate.ts"
import { Expressions } from "../../../stages/5-policy/expression/Expressions.ts"
import { needsKeys } from "../../mcp/grantKeys.ts"
import { natives } from "../../node/natives.ts"
import { clock } from "../../node/timer.ts"
import { checkPolicies } from "../checkPolicies.ts"
import { ExpressionChecker } from "../checkExpressions.ts"
import { type ConfigIssue, hasErrors, order, type Path } from "../ConfigIssue.ts"
import { resolve as resolveStatic, type Static } from "../Static.ts"
import { suggest } from "../suggest.ts"
import { decoder } from "./decode.ts"
import { originKey } from "./Draft.ts"
import type { Environment } from "./expand.ts"
import { type Names, noNames, type Section } from "./Mapping.ts"
import { error, type Problem, warning, within } from "./Problem.ts"
import { type Io, readAll } from "./resolve.ts"
import { settle, withManners } from "./fromStatic.ts"
import { read } from "./read.ts"
import { LocalConfig } from "./Schema.ts"
import { toIr } from "./toIr.ts"

export interface Options {
  /** Name of the file, for messages. */
  readonly file: string
  readonly env: Environment
  readonly io: Io
  /** CPUs there are; asked of the system unless given. */
  readonly cpus?: number
}

export interface Loaded {
  readonly static: Static
  readonly snapshot: Snapshot
  /** Files to watch besides the configuration itself. */
  readonly dependencies: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<ConfigIssue>
}

const decode = decoder(LocalConfig)
const topLevel = Object.keys(LocalConfig.fields)

const empty: ConfigIssue = {
  severity: "error",
  line: 1,
  column: 1,
  path: "",
  message: "there is nothing in it",
  remedy: "Write `{}` where nothing is to be served.",
}

export const load: (text: string, options: Options) => Effect.Effect<Loaded, ReadonlyArray<ConfigIssue>> =
  Effect.fnUntraced(function* (text, { cpus, env, io }) {
    // A file that is just being written is empty for a moment: to follow it would be to serve nothing.
    if (text.trim() === "") return yield* Effect.fail([empty])
    const document = read(text, env)
    if (document.value === undefined) return yield* Effect.fail(document.issues.toSorted(order))
    const names = namesIn(document.value)
    const decoded = decode(document.value, document.unread)
    const issues = [...document.issues, ...decoded.problems.map(document.issue)]
    if (decoded.value === undefined) return yield* Effect.fail(issues.toSorted(order))
    const config = decoded.value

    // What was taken out because it could not be decoded must not be missed a second time.
    const takenOut = [
      ...document.unread,
      ...decoded.problems.filter((problem) => problem.severity === "error").map((problem) => problem.path),
    ]
    const said = (problem: Problem): ReadonlyArray<ConfigIssue> => {
      const path = decoded.original(problem.path)
      return takenOut.some((one) => within(one, path)) ? [] : [document.issue({ ...problem, path })]
    }

    const { problems, static: settings } = resolveStatic(config.config ?? {}, {
      env,
      ...(cpus === undefined ? {} : { cpus }),
    })
    issues.push(...problems.flatMap(said))

    const damaged = new Set(takenOut.flatMap(([section, name]) => (section === "gateways" ? [String(name)] : [])))
    const broken = decoded.problems.length + document.unread.length > 0 ? { ...names, damaged } : noNames
    const settled = settle(config, env)
    issues.push(...settled.problems.flatMap(said))
    let mapped = toIr(settled.config, undefined, broken, env)
    const dependencies = [...mapped.needed.keys()]
    if (dependencies.length > 0) mapped = toIr(settled.config, yield* readAll(dependencies, io), broken, env)
    mapped = { ...mapped, snapshot: withManners(mapped.snapshot, settled) }
    issues.push(...mapped.problems.flatMap(said))

    const isGranted = [...mapped.snapshot.backends.values()].some(
      (one) =>
        one._tag === "Mcp" &&
        [...one.targets.map(oauthOfTarget), ...one.selectors.map(({ oauth }) => oauth)].some(
          (oauth) => oauth !== undefined,
        ),
    )
    if (isGranted && settings.database.location._tag === "Postgres" && settings.grantKeys.length === 0) {
      const remedy = "Name keys made with `openssl rand -hex 32`; the first seals, all open."
      issues.push(...said(error(["config", "database"], needsKeys, remedy)))
    }

    if (!hasErrors(issues)) {
      for (const found of [...validate(mapped.snapshot), ...checkPolicies(mapped.snapshot)]) {
        issues.push(document.issue(placed(found, mapped.snapshot, mapped.origins)))
      }
      issues.push(...unplaced(settings, mapped.snapshot, mapped.origins).map(document.issue))
    }
    // An expression is wrong by itself, whatever else is.
    const original = (path: Path): Path => decoded.original(path)
    for (const problem of wrongExpressions(settings, mapped.snapshot, mapped.origins, document.value, original)) {
      if (!takenOut.some((one) => within(one, problem.path))) issues.push(document.issue(problem))
    }
    issues.sort(order)
    if (hasErrors(issues)) return yield* Effect.fail(issues)
    return { static: settings, snapshot: mapped.snapshot, dependencies, warnings: issues }
  })

/** Services that prefer what is near, to a gateway that cannot know what is. */
const unplaced = (
  { identity }: Static,
  { services }: Snapshot,
  origins: ReadonlyMap<string, Path>,
): ReadonlyArray<Problem> => {
  const { locality, network, nodeName, podName } = identity
  if (locality !== undefined || podName !== undefined || nodeName !== undefined || network !== "") return []
  return [...services.values()].flatMap(({ key, loadBalancer }) =>
    loadBalancer?.mode === "Failover" || loadBalancer?.mode === "Strict"
      ? [
          warning(
            [...(origins.get(originKey("services", key)) ?? []), "loadBalancer", "mode"],
            "has no effect while the gateway does not know where it stands",
            "Set LOCALITY to `region/zone/subzone`, or POD_NAME and NAMESPACE to those of its own workload.",
          ),
        ]
      : [],
  )
}

/** Expressions that cannot be used, each at the place in the file where it is written. */
const wrongExpressions = (
  settings: Static,
  snapshot: Snapshot,
  origins: ReadonlyMap<string, Path>,
  written: unknown,
  original: (path: Path) => Path,
): ReadonlyArray<Problem> => {
  const functions = parseFunctions(settings.customFunctions ?? "")
  if (Result.isFailure(functions)) {
    return functions.failure.map(({ at: inside, message, remedy }) => ({
      ...error(["config", "customFunctions"], message, sentence(remedy ?? "")),
      inside,
    }))
  }
  const expressions = new Expressions({ clock, natives: natives(clock), functions: functions.success })
  const checker = new ExpressionChecker(expressions)
  const problems = new Map<string, Problem>()
  const { group, labels, user } = settings.observed
  for (const source of [...labels.map(({ expression }) => expression), user, group]) {
    if (source === undefined) continue
    for (const issue of expressions.issues(source, "log", "metricLabel")) {
      const path = find(written, ["config"], source)
      problems.set(`${issue.message} ${source}`, {
        ...error(path ?? ["config"], issue.message, sentence(issue.remedy ?? "")),
        ...(path === undefined ? {} : { inside: issue.at }),
      })
    }
  }
  for (const { holder, issue, key, source, table } of checker.check(snapshot)) {
    const origin = origins.get(originKey(table, key)) ?? []
    const resource = (snapshot[table] as ReadonlyMap<string, unknown>).get(key)
    // A policy may be written elsewhere than where it acts; what holds it then holds the expression too.
    const near = original([...origin, ...inFile(resource, holder)])
    const path = find(written, near, source) ?? find(written, original(origin), source) ?? find(written, [], source)
    const problem: Problem = {
      ...error(path ?? near, issue.message, sentence(issue.remedy ?? "")),
      ...(path === undefined ? {} : { inside: issue.at }),
    }
    problems.set([problem.message, issue.at, ...problem.path].join("\0"), problem)
  }
  return [...problems.values()]
}

/** The path of a text below another path. */
const find = (written: unknown, below: Path, text: string): Path | undefined => {
  const search = (value: unknown, path: Path): Path | undefined => {
    if (value === text) return path
    if (typeof value !== "object" || value === null) return undefined
    for (const [key, one] of Object.entries(value)) {
      const found = search(one, [...path, Array.isArray(value) ? Number(key) : key])
      if (found !== undefined) return found
    }
    return undefined
  }
  return search(at(written, below), below)
}

const items = (value: unknown, section: string): ReadonlyArray<Record<string, unknown>> => {
  const list = at(value, [section])
  return Array.isArray(list) ? list.filter((one) => typeof one === "object" && one !== null) : []
}

const sections = ["gateways", "backends", "services", "routeGroups"] as const

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

/** Whether a section, or something in it, has no name that could be read; it may also be the section's own that is misspelt. */
const isUnread = (value: unknown, section: Section): boolean => {
  const found = at(value, [section]) ?? {}
  const isMisspelt = Object.keys(Object(value)).some(
    (key) => !topLevel.includes(key) && suggest(key, topLevel) === section,
  )
  if (isMisspelt || typeof found !== "object") return true
  if (section === "gateways") return Array.isArray(found)
  const own = section === "services" ? ["namespace", "hostname"] : ["name"]
  return Array.isArray(found)
    ? found.some((one: unknown) => own.some((field) => !isName(at(one, [field]))))
    : Object.keys(found).length > 0
}

/** What the file defines by name, decodable or not: a reference to it is no mistake of the reference. */
const namesIn = (value: unknown): Names => ({
  gateways: new Set(Object.keys(Object(at(value, ["gateways"])))),
  damaged: new Set(),
  backends: new Set(items(value, "backends").map((one) => `/${String(one["name"])}`)),
  services: new Map(
    items(value, "services").map((one) => [`${String(one["namespace"])}/${String(one["hostname"])}`, undefined]),
  ),
  groups: new Set(items(value, "routeGroups").map((one) => String(one["name"]))),
  unread: new Set(sections.filter((section) => isUnread(value, section))),
  // What is broken elsewhere is no reason to complain about this as well.
  hasRedis: true,
})

const sentence = (text: string): string =>
  text === "" ? "" : `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`

/** From a field of a resource to the place in the file where it is written. */
const placed = (issue: Issue, snapshot: Snapshot, origins: ReadonlyMap<string, Path>): Problem => {
  const { key, table } = issue.resource
  const origin = origins.get(originKey(table, key)) ?? []
  const resource = (snapshot[table] as ReadonlyMap<string, unknown>).get(key)
  return {
    severity: issue.severity,
    path: [...origin, ...inFile(resource, issue.path)],
    message: issue.message,
    remedy: sentence(issue.remedy),
  }
}

const inFile = (resource: unknown, path: Path): Path => {
  const [first, second, ...rest] = path
  if (first === "policies" && typeof second === "number") {
    const policies = at(resource, [first])
    const kind = Array.isArray(policies) ? at(policies[second], ["_tag"]) : undefined
    return typeof kind === "string" && Object.hasOwn(placement, kind)
      ? ["policies", placement[kind as PolicyKind].spelling]
      : ["policies"]
  }
  if (first === "backends" && typeof second === "number") {
    return [first, second, ...inFile(at(resource, [first, second]), rest)]
  }
  if ((first === "matches" || first === "hostnames") && typeof second === "number") return [first, second]
  return first === "tls" || first === "hostname" || first === "matches" || first === "hostnames" || first === "backends"
    ? [first]
    : []
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (here, part) => (typeof here === "object" && here !== null ? Reflect.get(here, part) : undefined),
    value,
  )
