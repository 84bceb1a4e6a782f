/**
 * What must be true of every simulation, whatever happened in it. The checkers read the trace and know nothing of the
 * scenario: what they hold against the gateway holds for every configuration and every world.
 */
import * as Attachments from "../../ir/attachments.ts"
import { type TrafficPolicies, routePolicies } from "../../ir/effective.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import { outcomeOf } from "../telemetry/outcome.ts"
import { isAfter, type CallRecord, type Line, type RequestRecord, type Trace } from "./Trace.ts"

export interface Violation {
  /** The law that was broken. */
  readonly law: string
  readonly detail: string
}

export interface Checker {
  readonly law: string
  readonly check: (trace: Trace) => ReadonlyArray<string>
}

/** How late something may be that was due at a certain time: a step of simulated time, not of the host's. */
const toleranceMillis = 1

interface Indexed {
  readonly linesOf: (request: string) => ReadonlyArray<Line>
  readonly callsOf: (request: string) => ReadonlyArray<CallRecord>
}

const groupBy = <A>(
  all: ReadonlyArray<A>,
  key: (one: A) => string | undefined,
): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of all) {
    const name = key(one) ?? ""
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [one])
    else group.push(one)
  }
  return groups
}

const index = (trace: Trace): Indexed => {
  const lines = groupBy(trace.journal, ({ request }) => request)
  const calls = groupBy(trace.calls, ({ request }) => request)
  return { linesOf: (request) => lines.get(request) ?? [], callsOf: (request) => calls.get(request) ?? [] }
}

const policiesOf = ({ listener, plan, route }: Exchange): TrafficPolicies | undefined => {
  if (listener === undefined || route === undefined) return undefined
  const address = plan.snapshot.binds.get(listener.ir.bind)?.address
  return routePolicies(Attachments.make(plan.snapshot.attachments.values()), {
    listener: listener.ir,
    port: address === undefined || address._tag === "Unix" ? undefined : address.port,
    routes: route.chain,
  })
}

/** Where the copies of an exchange may go. */
const mirrorsOf = (exchange: Exchange): ReadonlySet<string> => {
  const hosts = new Set<string>()
  for (const { backend } of policiesOf(exchange)?.RequestMirror?.mirrors ?? []) {
    if (backend._tag !== "Backend") continue
    const found = exchange.plan.snapshot.backends.get(backend.backend)
    if (found?._tag === "Host" && found.target._tag === "Host") hosts.add(`${found.target.host}:${found.target.port}`)
  }
  return hosts
}

/** The calls of an exchange that its reply may come from. */
const attemptsOf = ({ callsOf }: Indexed, line: Line): ReadonlyArray<CallRecord> => {
  const calls = callsOf(line.request ?? "")
  const mirrors = mirrorsOf(line.exchange)
  return mirrors.size === 0 ? calls : calls.filter(({ server }) => !mirrors.has(server))
}

const arrived = ({ requests }: Trace): ReadonlyArray<RequestRecord> =>
  requests.filter((request) => request.arrived !== undefined)

export const finishes: Checker = {
  law: "a simulation comes to its end",
  check: ({ hostTurns, stopped }) => [
    ...(stopped === "done" ? [] : [`it stopped: ${stopped}`]),
    ...(hostTurns === 0 ? [] : [`something outside the simulation was waited for, ${hostTurns} times`]),
  ],
}

export const portsAreUsedAsAgreed: Checker = {
  law: "ports are used as their contracts say",
  check: ({ breaches, calls }) => [
    ...breaches,
    ...calls
      .filter(({ afterClose }) => afterClose)
      .map(({ id, server }) => `call ${id} used ${server} after it was closed`),
  ],
}

export const noDefect: Checker = {
  law: "nothing breaks inside the gateway",
  check: ({ journal, log }) => [
    ...journal
      .filter(({ exchange }) => exchange.trail.refusal?._tag === "Defect")
      .map(({ request }) => `request ${request} met a defect`),
    ...log.filter(({ level }) => level === "Error" || level === "Fatal").map(({ text }) => text),
  ],
}

export const oneJournalLine: Checker = {
  law: "every exchange ends in one line of the journal",
  check: (trace) => {
    const { linesOf } = index(trace)
    return arrived(trace).flatMap(({ id }) => {
      const { length } = linesOf(id)
      return length === 1 ? [] : [`request ${id} has ${length} lines`]
    })
  },
}

export const oneReply: Checker = {
  law: "every exchange gets one reply, or is interrupted because its client left or its time was up",
  check: (trace) => {
    const { linesOf } = index(trace)
    const forced = (line: Line) =>
      trace.drainStarted !== undefined &&
      line.atMillis >= trace.drainStarted.atMillis + trace.drainMaxMillis - toleranceMillis
    return arrived(trace).flatMap((request) => {
      const { id, lost, responded } = request
      if (responded.length > 1) return [`request ${id} was answered ${responded.length} times`]
      const [line] = linesOf(id)
      if (line === undefined) return []
      const { outcome } = line.ending
      const excused = lost !== undefined || forced(line)
      switch (outcome) {
        case "answered":
          return responded.length === 1 ? [] : [`request ${id} counts as answered, but there was no reply`]
        case "clientGone":
          return excused ? [] : [`the client of request ${id} counts as gone, but it stayed`]
        case "upstreamFailed":
          return responded.length === 1 ? [] : [`the reply to ${id} counts as broken off, but there was none`]
        default:
          return excused ? [] : [`request ${id} ended as ${outcome}, but its client stayed`]
      }
    })
  },
}

export const clientsAreServed: Checker = {
  law: "a client that stays gets what the journal says it got",
  check: (trace) => {
    const { linesOf } = index(trace)
    return arrived(trace).flatMap(({ end, head, id, responded, status }) => {
      if (end === "left" || end === "vanished") return []
      const outcome = linesOf(id)[0]?.ending.outcome
      if (outcome === "answered" && end !== "complete")
        return [`request ${id} was answered, but for the client it is ${end}`]
      if (end === "complete" && outcome !== "answered")
        return [`request ${id} is complete for the client, but ${outcome} for us`]
      const said = responded[0]?.status
      return head !== undefined && said !== status ? [`request ${id}: ${said} was sent and ${status} received`] : []
    })
  },
}

export const callsEndWithTheirExchange: Checker = {
  law: "no upstream call outlives its exchange",
  check: (trace) => {
    const { linesOf } = index(trace)
    return trace.calls.flatMap((call) => {
      // Calls of the gateway's own, such as probes, are no exchange's; they end with the gateway.
      if (call.request === undefined) {
        return call.ended === undefined ? [`call ${call.id} to ${call.server} never ended`] : []
      }
      const [line] = linesOf(call.request)
      if (line === undefined) return [`call ${call.id} to ${call.server} belongs to no exchange`]
      if (mirrorsOf(line.exchange).has(call.server)) return []
      if (call.ended === undefined) return [`call ${call.id} of request ${call.request} never ended`]
      return isAfter(call.ended, line)
        ? [`call ${call.id} of request ${call.request} went on after its exchange ended`]
        : []
    })
  },
}

export const nothingIsLeft: Checker = {
  law: "nothing is left after a drain",
  check: ({ left }) =>
    Object.entries(left).flatMap(([what, count]: readonly [string, number]) =>
      count === 0 ? [] : [`${what}: ${count}`],
    ),
}

export const drainKeepsItsTime: Checker = {
  law: "a drain takes no longer than it may",
  check: ({ drainEnded, drainMaxMillis, drainStarted }) => {
    if (drainStarted === undefined) return []
    const took = (drainEnded?.atMillis ?? Infinity) - drainStarted.atMillis
    // It looks at intervals whether everybody has left.
    return took <= drainMaxMillis + 50 ? [] : [`it took ${took} ms of ${drainMaxMillis}`]
  },
}

export const attemptsWithinPolicy: Checker = {
  law: "an exchange makes no more attempts than its retry policy allows",
  check: (trace) => {
    const indexed = index(trace)
    return trace.journal.flatMap((line) => {
      const retry = policiesOf(line.exchange)?.Retry
      const allowed = 1 + (retry?.attempts ?? 0)
      const made = attemptsOf(indexed, line)
      if (made.length > allowed) return [`request ${line.request}: ${made.length} attempts, ${allowed} allowed`]
      return line.exchange.trail.attempts < made.length
        ? [
            `request ${line.request}: the journal says ${line.exchange.trail.attempts} attempts, servers saw ${made.length}`,
          ]
        : []
    })
  },
}

export const oneAttemptAtATime: Checker = {
  law: "the attempts of an exchange follow one another",
  check: (trace) => {
    const indexed = index(trace)
    return trace.journal.flatMap((line) => {
      const attempts = attemptsOf(indexed, line)
      return attempts.slice(1).flatMap((call, i) => {
        const before = attempts[i]
        return before?.ended !== undefined && !isAfter(before.ended, call.started)
          ? []
          : [`request ${line.request}: call ${call.id} began before ${before?.id} had ended`]
      })
    })
  },
}

export const requestsArriveUnchanged: Checker = {
  law: "servers receive the bytes that clients send: all of them, or a beginning",
  check: (trace) => {
    const requests = new Map(trace.requests.map((request) => [request.id, request]))
    return trace.calls.flatMap((call) => {
      const request = requests.get(call.request ?? "")
      if (request === undefined) return []
      if (!call.receivedIntact) return [`call ${call.id} received other bytes than request ${request.id} sent`]
      if (call.receivedBytes > request.uploadedBytes) {
        return [
          `call ${call.id} received ${call.receivedBytes} bytes, request ${request.id} sent ${request.uploadedBytes}`,
        ]
      }
      return call.requestComplete && call.receivedBytes !== request.uploadedBytes
        ? [`call ${call.id} was complete after ${call.receivedBytes} of ${request.uploadedBytes} bytes`]
        : []
    })
  },
}

export const repliesArriveUnchanged: Checker = {
  law: "clients receive the bytes that servers send: all of them, or a beginning",
  check: (trace) => {
    const { linesOf } = index(trace)
    const calls = new Map(trace.calls.map((call) => [call.id, call]))
    return trace.requests.flatMap((request) => {
      const said = request.responded[0]
      if (said === undefined || request.head === undefined) return []
      if (linesOf(request.id)[0]?.exchange.trail.refusal !== undefined) return []
      const call = said.call === undefined ? undefined : calls.get(said.call)
      if (said.origin === "upstream" && call === undefined) return [`the reply to ${request.id} comes from no call`]
      if (call === undefined) return []
      if (call.request !== request.id) return [`request ${request.id} got the reply to ${call.request}`]
      if (!request.intact) return [`request ${request.id} received other bytes than call ${call.id} sent`]
      if (request.receivedBytes > call.sentBytes)
        return [`request ${request.id} received more than call ${call.id} sent`]
      if (request.end !== "complete") return []
      if (call.end !== "complete") return [`request ${request.id} is complete, its call ${call.id} ${call.end}`]
      return request.receivedBytes === call.replyBytes
        ? []
        : [`request ${request.id} is complete after ${request.receivedBytes} of ${call.replyBytes} bytes`]
    })
  },
}

export const onePlan: Checker = {
  law: "an exchange sees one configuration from its beginning to its end",
  check: (trace) => {
    const indexed = index(trace)
    const requests = new Map(trace.requests.map((request) => [request.id, request]))
    return trace.journal.flatMap((line) => {
      const { exchange, request } = line
      const { listener, plan, route } = exchange
      const mixed: Array<string> = []
      if (listener !== undefined && plan.listeners.get(listener.ir.key) !== listener) {
        mixed.push(`request ${request} used a listener that is not in its plan`)
      }
      if (route !== undefined && plan.snapshot.routes.get(route.ir.key) !== route.ir) {
        mixed.push(`request ${request} took a route that is not in its plan`)
      }
      const tags = new Set([
        ...indexed.callsOf(request ?? "").map((call) => call.plan),
        ...(requests.get(request ?? "")?.responded ?? [])
          .filter(({ origin }) => origin === "upstream")
          .map((reply) => reply.plan),
      ])
      if (tags.size > 1) mixed.push(`request ${request} saw the configurations ${[...tags].join(" and ")}`)
      return mixed
    })
  },
}

export const refusalsChangeNothing: Checker = {
  law: "a refused configuration leaves what served before",
  check: ({ offers }) =>
    offers.flatMap(({ atMillis, listeningAfter, listeningBefore, planAfter, planBefore, problems }) =>
      problems === undefined || (planBefore === planAfter && listeningBefore.join() === listeningAfter.join())
        ? []
        : [
            `the configuration refused at ${atMillis} ms changed plan ${planBefore} to ${planAfter}, and ports ${listeningBefore.join()} to ${listeningAfter.join()}`,
          ],
    ),
}

export const deadlinesHold: Checker = {
  law: "deadlines hold: the head of a reply is there in time, or a refusal is",
  check: (trace) => {
    const indexed = index(trace)
    return trace.journal.flatMap((line) => {
      const { exchange, request } = line
      const late: Array<string> = []
      for (const call of attemptsOf(indexed, line)) {
        const waited = (call.head ?? call.ended)?.atMillis ?? Infinity
        if (waited > exchange.deadlineMillis + toleranceMillis) {
          late.push(
            `request ${request}: call ${call.id} was waited for until ${waited}, the deadline was ${exchange.deadlineMillis}`,
          )
        }
        const policies = policiesOf(exchange)
        const each = policies?.Timeout?.backendRequestMillis
        if (each !== undefined && each > 0 && waited > call.started.atMillis + each + toleranceMillis) {
          late.push(`request ${request}: call ${call.id} took longer than ${each} ms`)
        }
      }
      const { refusal } = exchange.trail
      const { reply } = line.ending
      const said = trace.requests.find(({ id }) => id === request)?.responded[0]
      if (refusal?._tag === "RequestTimeout" && reply !== undefined && said !== undefined) {
        if (said.atMillis > exchange.deadlineMillis + toleranceMillis) {
          late.push(
            `request ${request} was told at ${said.atMillis} that its time was up at ${exchange.deadlineMillis}`,
          )
        }
        if (said.atMillis < exchange.deadlineMillis - toleranceMillis) {
          late.push(
            `request ${request} was told at ${said.atMillis} that its time was up, which it was not until ${exchange.deadlineMillis}`,
          )
        }
      }
      return late
    })
  },
}

export const silenceIsBounded: Checker = {
  law: "a server that takes or sends nothing is waited for as long as it may, and then given up for that reason",
  check: (trace) => {
    const indexed = index(trace)
    return trace.journal.flatMap((line) => {
      const { exchange, request } = line
      const idle = policiesOf(exchange)?.Timeout?.idleMillis
      const { error, reason } = outcomeOf(exchange, line.ending)
      const attempts = attemptsOf(indexed, line)
      const longestOf = (calls: ReadonlyArray<CallRecord>) =>
        Math.max(0, ...calls.map(({ quietMillis }) => quietMillis))
      const longest = longestOf(attempts)
      // A copy may have gone to the very server that answered.
      const longestAnywhere = longestOf(indexed.callsOf(request ?? ""))
      const isCalledSilent = error?.startsWith("the upstream sent nothing") === true
      if (idle === undefined || idle <= 0) {
        return isCalledSilent ? [`request ${request} was given up for a silence that nobody bounds`] : []
      }
      const wrong: Array<string> = []
      for (const { ended, head, id, unreadSince } of attempts) {
        const unread = (head ?? ended)?.atMillis ?? Infinity
        if (unreadSince !== undefined && unread > unreadSince.atMillis + idle + toleranceMillis) {
          wrong.push(`request ${request}: call ${id} took nothing from ${unreadSince.atMillis} to ${unread}`)
        }
      }
      if (longest > idle + toleranceMillis) {
        wrong.push(`request ${request}: its reply was silent for ${longest} ms, ${idle} are allowed`)
      }
      if (isCalledSilent && (reason !== "Timeout" || longestAnywhere < idle)) {
        wrong.push(`request ${request} ended as ${reason} after a silence of ${longestAnywhere} ms: ${error}`)
      }
      const last = attempts.at(-1)
      const isGivenUp = last?.end === "aborted" && last.quietSince !== undefined && last.quietMillis >= idle
      if (isGivenUp && reason !== "Timeout" && reason !== "ClientGone" && reason !== "Drained") {
        wrong.push(`request ${request} was given up after a silence of ${longest} ms, but ended as ${reason}`)
      }
      return wrong
    })
  },
}

/** Every law. */
export const all: ReadonlyArray<Checker> = [
  finishes,
  portsAreUsedAsAgreed,
  noDefect,
  oneJournalLine,
  oneReply,
  clientsAreServed,
  callsEndWithTheirExchange,
  nothingIsLeft,
  drainKeepsItsTime,
  attemptsWithinPolicy,
  oneAttemptAtATime,
  requestsArriveUnchanged,
  repliesArriveUnchanged,
  onePlan,
  refusalsChangeNothing,
  deadlinesHold,
  silenceIsBounded,
]

export const check = (trace: Trace, checkers: ReadonlyArray<Checker> = all): ReadonlyArray<Violation> =>
  checkers.flatMap(({ check, law }) => check(trace).map((detail) => ({ law, detail })))
