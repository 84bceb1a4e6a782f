/** Attachments by what they are attached to, so that a place looks only at its own. */
import type { Attachment } from "./Attachment.ts"
import type { AttachmentKey } from "./Key.ts"
import type { Listener } from "./Listener.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "./Policy.ts"
import { trafficKind } from "./trafficKind.ts"
import type { RouteName } from "./Route.ts"
import type { Target } from "./Target.ts"

/** One policy as the merge sees it. */
export interface Item<P> {
  readonly kind: string
  readonly policy: P
  /** More specific places cannot replace it. */
  readonly locks: boolean
}

/**
 * What is attached to one target. Several attachments of one kind to one target are a tie: overrides come before
 * defaults, then the smaller key, so that the order of arrival never shows.
 */
export interface Attached {
  readonly frontend: ReadonlyArray<Item<FrontendPolicy>>
  readonly gateway: ReadonlyArray<Item<TrafficPolicy>>
  readonly route: ReadonlyArray<Item<TrafficPolicy>>
  readonly backend: ReadonlyArray<Item<BackendPolicy>>
}

export interface Attachments {
  readonly byTarget: ReadonlyMap<string, OnTarget>
}

/** Sorted attachments of a target beside their split form. */
interface OnTarget {
  readonly sorted: ReadonlyArray<Attachment>
  readonly attached: Attached
}

/** No name may contain the separator, so two targets never share a key. */
const join = (...parts: ReadonlyArray<string | number | undefined>): string =>
  parts.map((part) => part ?? "").join("\0")

export const targetKey = (target: Target): string => {
  switch (target._tag) {
    case "Gateway":
      return join("gateway", target.namespace, target.name, target.port, target.listener)
    case "ListenerSet":
      return join("listenerSet", target.namespace, target.name, target.section)
    case "Service":
      return join("service", target.service, target.port)
    case "Route":
      return join("route", target.namespace, target.name, target.ruleName, target.kind)
    case "Backend":
      return join("backend", target.backend, target.section)
  }
}

/** The targets that stand for a gateway, from the whole to the port. */
export const gatewayTargets = (
  gateway: { readonly name: string; readonly namespace: string },
  port: number | undefined,
): ReadonlyArray<string> => {
  const whole = join("gateway", gateway.namespace, gateway.name, undefined, undefined)
  return port === undefined ? [whole] : [whole, join("gateway", gateway.namespace, gateway.name, port, undefined)]
}

/** The targets a listener belongs to, least specific first. */
export const listenerTargets = ({ name }: Listener, port: number | undefined): ReadonlyArray<string> => {
  const { gatewayName, gatewayNamespace, listenerName, listenerSet } = name
  const targets = [...gatewayTargets({ name: gatewayName, namespace: gatewayNamespace }, port)]
  if (listenerSet !== undefined) {
    const { name, namespace, section } = listenerSet
    targets.push(
      join("listenerSet", namespace, name, undefined),
      join("listenerSet", namespace, name, section ?? listenerName),
    )
  }
  targets.push(join("gateway", gatewayNamespace, gatewayName, undefined, listenerName))
  return targets
}

/** The targets that name a route, then those that name its rule; one target may or may not say the kind. */
export const routeTargets = ({ kind, name, namespace, ruleName }: RouteName): ReadonlyArray<ReadonlyArray<string>> => {
  const ofRule = (rule: string | undefined) =>
    kind === undefined
      ? [join("route", namespace, name, rule, undefined)]
      : [join("route", namespace, name, rule, undefined), join("route", namespace, name, rule, kind)]
  return ruleName === undefined ? [ofRule(undefined)] : [ofRule(undefined), ofRule(ruleName)]
}

export const serviceTargets = (service: string, port: number): ReadonlyArray<string> => [
  join("service", service, undefined),
  join("service", service, port),
]

export const backendTargets = (backend: string, section: string | undefined): ReadonlyArray<string> =>
  section === undefined
    ? [join("backend", backend, undefined)]
    : [join("backend", backend, undefined), join("backend", backend, section)]

const before = (a: Attachment, b: Attachment): number => {
  if (a.inheritance !== b.inheritance) return a.inheritance === "override" ? -1 : 1
  if (a.key === b.key) return 0
  return a.key < b.key ? -1 : 1
}

const split = (sorted: ReadonlyArray<Attachment>): Attached => {
  const frontend: Array<Item<FrontendPolicy>> = []
  const gateway: Array<Item<TrafficPolicy>> = []
  const route: Array<Item<TrafficPolicy>> = []
  const backend: Array<Item<BackendPolicy>> = []
  for (const { inheritance, policy } of sorted) {
    const locks = inheritance === "override"
    switch (policy._tag) {
      case "Frontend":
        frontend.push({ kind: policy.policy._tag, policy: policy.policy, locks })
        break
      case "Traffic": {
        const item = { kind: trafficKind(policy.policy), policy: policy.policy, locks }
        ;(policy.phase === "gateway" ? gateway : route).push(item)
        break
      }
      case "Backend":
        backend.push({ kind: policy.policy._tag, policy: policy.policy, locks })
        break
    }
  }
  return { frontend, gateway, route, backend }
}

const sortedTarget = (attachments: ReadonlyArray<Attachment>): OnTarget => {
  const sorted = attachments.toSorted(before)
  return { sorted, attached: split(sorted) }
}

export const make = (attachments: Iterable<Attachment>): Attachments => {
  const groups = new Map<string, Array<Attachment>>()
  for (const attachment of attachments) {
    const key = targetKey(attachment.target)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [attachment])
    else group.push(attachment)
  }
  const byTarget = new Map<string, OnTarget>()
  for (const [key, group] of groups) byTarget.set(key, sortedTarget(group))
  return { byTarget }
}

/** The same index after some attachments went and others came; targets not named keep their lists. */
export const update = (index: Attachments, gone: Iterable<Attachment>, come: Iterable<Attachment>): Attachments => {
  const touched = new Map<string, Map<AttachmentKey, Attachment>>()
  const at = (target: Target) => {
    const key = targetKey(target)
    let group = touched.get(key)
    if (group === undefined) {
      group = new Map(index.byTarget.get(key)?.sorted.map((attachment) => [attachment.key, attachment]))
      touched.set(key, group)
    }
    return group
  }
  for (const attachment of gone) at(attachment.target).delete(attachment.key)
  for (const attachment of come) at(attachment.target).set(attachment.key, attachment)
  if (touched.size === 0) return index
  const byTarget = new Map(index.byTarget)
  for (const [key, group] of touched) {
    if (group.size === 0) byTarget.delete(key)
    else byTarget.set(key, sortedTarget([...group.values()]))
  }
  return { byTarget }
}

const none: Attached = { frontend: [], gateway: [], route: [], backend: [] }

export const attachedTo = (index: Attachments, target: string): Attached => index.byTarget.get(target)?.attached ?? none

/** Targets of equal rank, whose attachments compete as if they were attached to one. */
export const attachedToAny = (index: Attachments, targets: ReadonlyArray<string>): Attached => {
  const found = targets.flatMap((target) => index.byTarget.get(target) ?? [])
  if (found.length === 0) return none
  const [first] = found
  if (found.length === 1 && first !== undefined) return first.attached
  return split(found.flatMap(({ sorted }) => sorted).toSorted(before))
}
