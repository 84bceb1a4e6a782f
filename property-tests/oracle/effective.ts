/**
 * Which policies are in force at a place, by definition: look at every attachment, ask whether it concerns the place
 * and how specifically, and let the rule of each kind choose. Slow, and obviously right.
 */
import type { Attachment } from "../../ir/Attachment.ts"
import type { BackendPlace, RoutePlace } from "../../ir/effective.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Target } from "../../ir/Target.ts"

export type Question =
  | {
      readonly _tag: "connection"
      readonly gateway: { readonly name: string; readonly namespace: string }
      readonly port: number
    }
  | { readonly _tag: "request"; readonly place: Omit<RoutePlace, "routes"> }
  | { readonly _tag: "gateway"; readonly place: Omit<RoutePlace, "routes" | "service"> }
  | { readonly _tag: "route"; readonly place: RoutePlace }
  | { readonly _tag: "backend"; readonly place: BackendPlace }

type AnyPolicy = TrafficPolicy | BackendPolicy | FrontendPolicy

interface Contribution {
  readonly policy: AnyPolicy
  /** A list of numbers compared from the left; greater is more specific. */
  readonly rank: ReadonlyArray<number>
  readonly locks: boolean
  readonly tie: string
}

export const inForce = (attachments: ReadonlyArray<Attachment>, question: Question): Record<string, unknown> => {
  const all = [...attachments.flatMap((attachment) => ofAttachment(attachment, question)), ...inline(question)]
  const kinds = new Set(all.map(({ policy }) => kindOf(policy)))
  return Object.fromEntries(
    [...kinds].map((kind) => [
      kind,
      settle(
        kind,
        question,
        all.filter(({ policy }) => kindOf(policy) === kind),
      ),
    ]),
  )
}

const kindOf = (policy: AnyPolicy): string =>
  policy._tag === "Conditional" ? policy.entries[0].policy._tag : policy._tag

const everyLevelCounts = new Set([
  "Authorization",
  "McpAuthorization",
  "NetworkAuthorization",
  "ConcurrencyLimit",
  "BodyLimit",
  "IpAccessControl",
  "ConnectionLimit",
])

const settle = (kind: string, question: Question, all: ReadonlyArray<Contribution>): unknown => {
  if (everyLevelCounts.has(kind)) {
    const lock = lowest(all.filter(({ locks }) => locks))
    return all
      .filter(({ rank }) => lock === undefined || compare(rank, lock.rank) <= 0)
      .toSorted((a, b) => compare(a.rank, b.rank) || tie(a, b))
      .map(({ policy }) => policy)
  }
  if (kind === "Buffer" && question._tag !== "backend") return lowest(all)?.policy
  if (kind === "Ai" && question._tag === "backend") {
    const fields = new Set(all.flatMap(({ policy }) => Object.keys(policy)))
    return Object.fromEntries(
      [...fields].map((field) => [
        field,
        Reflect.get(winner(all.filter(({ policy }) => Object.hasOwn(policy, field)))?.policy ?? {}, field),
      ]),
    )
  }
  return winner(all)?.policy
}

const winner = (all: ReadonlyArray<Contribution>): Contribution | undefined =>
  lowest(all.filter(({ locks }) => locks)) ?? all.toSorted((a, b) => compare(b.rank, a.rank) || tie(a, b))[0]

const lowest = (all: ReadonlyArray<Contribution>): Contribution | undefined =>
  all.toSorted((a, b) => compare(a.rank, b.rank) || tie(a, b))[0]

const compare = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const tie = (a: Contribution, b: Contribution): number =>
  a.locks === b.locks ? (a.tie < b.tie ? -1 : 1) : a.locks ? -1 : 1

const ofAttachment = (attachment: Attachment, question: Question): ReadonlyArray<Contribution> => {
  const { inheritance, key, policy, target } = attachment
  const asked =
    question._tag === "backend"
      ? policy._tag === "Backend"
      : question._tag === "gateway" || question._tag === "route"
        ? policy._tag === "Traffic" && policy.phase === question._tag
        : policy._tag === "Frontend"
  const rank = asked ? rankOf(target, question) : undefined
  return rank === undefined ? [] : [{ policy: policy.policy, rank, locks: inheritance === "override", tie: key }]
}

const rankOf = (target: Target, question: Question): ReadonlyArray<number> | undefined => {
  const listener = question._tag === "connection" ? undefined : question.place.listener
  const port = question._tag === "connection" ? question.port : question.place.port
  const gateway =
    question._tag === "connection"
      ? question.gateway
      : listener && { name: listener.name.gatewayName, namespace: listener.name.gatewayNamespace }
  switch (target._tag) {
    case "Gateway":
      if (gateway?.name !== target.name || gateway.namespace !== target.namespace) return undefined
      if (target.listener !== undefined) {
        return target.port === undefined && listener?.name.listenerName === target.listener ? [5] : undefined
      }
      if (target.port === undefined) return [1]
      return target.port === port ? [2] : undefined
    case "ListenerSet": {
      const set = listener?.name.listenerSet
      if (set?.name !== target.name || set.namespace !== target.namespace) return undefined
      if (target.section === undefined) return [3]
      return target.section === (set.section ?? listener?.name.listenerName) ? [4] : undefined
    }
    case "Service": {
      const service = question._tag === "connection" || question._tag === "gateway" ? undefined : question.place.service
      if (service?.key !== target.service) return undefined
      if (target.port === undefined) return [6]
      return target.port === service.port ? [7] : undefined
    }
    case "Backend":
      if (question._tag !== "backend" || question.place.backend?.key !== target.backend) return undefined
      if (target.section === undefined) return [8]
      return target.section === question.place.section ? [9] : undefined
    case "Route": {
      if (question._tag !== "route" && question._tag !== "backend") return undefined
      // The same route cannot be met twice, because a delegation cycle is refused.
      const depth = question.place.routes.findIndex(
        ({ name }) =>
          name.name === target.name &&
          name.namespace === target.namespace &&
          (target.kind === undefined || target.kind === name.kind) &&
          (target.ruleName === undefined || target.ruleName === name.ruleName),
      )
      return depth < 0 ? undefined : [10, depth, target.ruleName === undefined ? 1 : 2]
    }
  }
}

/** Within one list the first counts, so its place in the list serves as the key. */
const inline = (question: Question): ReadonlyArray<Contribution> => {
  const of = (policies: ReadonlyArray<AnyPolicy>, rank: ReadonlyArray<number>): ReadonlyArray<Contribution> =>
    policies.map((policy, i) => ({ policy, rank, locks: false, tie: String(i).padStart(6, "0") }))
  if (question._tag === "route") {
    return question.place.routes.flatMap(({ policies }, depth) => of(policies ?? [], [10, depth, 3]))
  }
  if (question._tag !== "backend") return []
  return [...of(question.place.backend?.policies ?? [], [11]), ...of(question.place.refPolicies, [12])]
}
