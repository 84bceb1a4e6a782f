/** What the gateway serves right now, as JSON for people, in pieces: a snapshot of ten thousand routes holds nobody up. */
import type { Listener } from "../../ir/Listener.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { redact } from "./redact.ts"

/** An object or a list whose members are made one after the other. */
class Members {
  readonly entries: Iterable<readonly [string, unknown]>
  constructor(entries: Iterable<readonly [string, unknown]>) {
    this.entries = entries
  }
}
class Elements {
  readonly items: Iterable<unknown>
  constructor(items: Iterable<unknown>) {
    this.items = items
  }
}

export interface DumpOptions {
  readonly snapshot: Snapshot
  readonly version: number
  /** Why what was told last does not serve; empty when it does. */
  readonly problems?: ReadonlyArray<string>
  /** The settings of the process. */
  readonly config: unknown
  readonly sensitiveHeaders: ReadonlyArray<string>
  /** The upstream endpoints and how they are. */
  readonly endpoints: Iterable<unknown> | undefined
}

const groupBy = <A>(items: Iterable<A>, of: (item: A) => string | undefined): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const key = of(item)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

const members = (resource: object, more: Readonly<Record<string, unknown>>): Members =>
  new Members([...Object.entries(resource), ...Object.entries(more)])

export const dump = ({
  config,
  endpoints,
  problems,
  sensitiveHeaders,
  snapshot,
  version,
}: DumpOptions): Iterable<string> => {
  const { attachments, backends, binds, listeners, routeGroups, routes, services, tcpRoutes, workloads } = snapshot
  const ofBind = groupBy(listeners.values(), (one) => one.bind)
  const ofListener = groupBy(routes.values(), ({ parent }) =>
    parent._tag === "Listener" ? parent.listener : undefined,
  )
  const ofGroup = groupBy(routes.values(), ({ parent }) => (parent._tag === "Group" ? parent.group : undefined))
  const tcpOfListener = groupBy(tcpRoutes.values(), (one) => one.listener)
  const listener = (one: Listener): Members =>
    members(one, {
      routes: new Elements(ofListener.get(one.key) ?? []),
      tcpRoutes: new Elements(tcpOfListener.get(one.key) ?? []),
    })
  const whole = new Members([
    ["version", version],
    ["problems", problems],
    ["config", config],
    [
      "binds",
      new Elements(
        Array.from(binds.values(), (bind) =>
          members(bind, { listeners: new Elements((ofBind.get(bind.key) ?? []).map(listener)) }),
        ),
      ),
    ],
    [
      "routes",
      new Members([
        ["httpMesh", new Elements([...routes.values()].filter(({ parent }) => parent._tag === "Service"))],
        ["tcpMesh", []],
        [
          "routeGroups",
          new Elements(
            Array.from(routeGroups.values(), (group) =>
              members(group, { routes: new Elements(ofGroup.get(group.key) ?? []) }),
            ),
          ),
        ],
      ]),
    ],
    ["policies", new Elements(attachments.values())],
    ["backends", new Elements(backends.values())],
    ["models", []],
    ["services", new Elements(services.values())],
    ["workloads", new Elements(workloads.values())],
    ...(endpoints === undefined ? [] : [["endpoints", new Elements(endpoints)] as const]),
  ])
  return gathered(print(whole, "", new Set(sensitiveHeaders.map((name) => name.toLowerCase()))))
}

function* print(value: unknown, indent: string, sensitive: ReadonlySet<string>): Generator<string> {
  const inner = `${indent}  `
  if (value instanceof Members) {
    let separator = "{\n"
    for (const [key, one] of value.entries) {
      yield `${separator}${inner}${JSON.stringify(key)}: `
      yield* print(one, inner, sensitive)
      separator = ",\n"
    }
    yield separator === "{\n" ? "{}" : `\n${indent}}`
  } else if (value instanceof Elements) {
    let separator = "[\n"
    for (const one of value.items) {
      yield `${separator}${inner}`
      yield* print(one, inner, sensitive)
      separator = ",\n"
    }
    yield separator === "[\n" ? "[]" : `\n${indent}]`
  } else {
    yield (JSON.stringify(redact(value, sensitive), null, 2) ?? "null").replaceAll("\n", `\n${indent}`)
  }
}

const pieceLength = 32 * 1024

function* gathered(pieces: Iterable<string>): Generator<string> {
  let together = ""
  for (const piece of pieces) {
    together += piece
    if (together.length < pieceLength) continue
    yield together
    together = ""
  }
  yield `${together}\n`
}
