/** Which exchanges are traced, and what is computed about them. One that is not sampled costs a look-up of one header. */
import { isError } from "../../ir/cel/CelValue.ts"
import type { Activation } from "../../ir/cel/compile.ts"
import type { Sampling, Tracing } from "../../ir/policy/Tracing.ts"
import {
  newTraceId,
  parse,
  sampledFlag,
  shareOf,
  type TraceContext,
  tracestateHeader,
} from "../../protocols/trace/context.ts"
import { type Propagation, w3c } from "../../protocols/trace/propagation.ts"
import type { Exchange, Request } from "../Exchange.ts"
import { Story } from "../Inquiry.ts"
import type { Ending } from "../ports/Journal.ts"
import { type SpanMaker, Trace } from "../Trace.ts"
import { readsPayload } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { type Field, fieldsOf } from "./recording.ts"
import type { PolicyPorts } from "./steps.ts"

/** How a gateway traces, whatever its policies say. */
export interface TracingPorts {
  /** Who makes the spans, where it is not the gateway itself. */
  readonly maker?: SpanMaker | undefined
  /** Nothing is traced, whatever policies say. */
  readonly isDisabled?: boolean | undefined
  /** Absent: as W3C has it. */
  readonly propagation?: Propagation | undefined
}

export interface Tracer {
  /** Absent: there is nobody to send spans to but whoever makes them. */
  readonly policy: Tracing | undefined
  /** Decides, and gives a sampled exchange its trace. */
  readonly begin: (exchange: Exchange) => void
  /** A context that came inside the message, as MCP and A2A send it; one that came with the request is the better one. */
  readonly adopt: (exchange: Exchange, traceparent: string) => void
  /** Asked once all is over: whether the trace is told to anybody. */
  readonly keeps: (exchange: Exchange, ending: Ending) => boolean
  readonly attributes: (exchange: Exchange, ending: Ending) => ReadonlyArray<Field>
  /** What is said of the gateway itself, beside what it says by itself. */
  readonly resources: ReadonlyArray<Field>
}

/** The share of exchanges that are sampled, for one exchange. */
type Share = (exchange: Exchange) => number

/** What a sampler may want to look at; a policy that removes them means it. */
const known: ReadonlyArray<readonly [name: string, of: (request: Request) => string]> = [
  ["http.method", ({ method }) => method],
  ["http.host", ({ authority }) => authority],
  ["http.path", ({ path }) => path],
]

const always: Share = () => 1
const never: Share = () => 0

export const compile = (
  policy: Tracing | undefined,
  ports: PolicyPorts,
  { isDisabled, maker, propagation = w3c }: TracingPorts = {},
): Tracer | undefined => {
  if (isDisabled === true) return undefined
  if (policy === undefined && maker === undefined) return undefined
  const { clock } = ports
  const expressions = expressionsOf(ports)
  const { around } = expressions

  const shareFor = (sampling: Sampling | undefined, otherwise: Share): Share => {
    if (sampling === undefined) return otherwise
    if (sampling._tag === "Fraction") {
      const { fraction } = sampling
      return fraction >= 1 ? always : fraction <= 0 ? never : () => fraction
    }
    const expression = expressions.compile(sampling.expression, "gateway", "sampling")
    return (exchange) =>
      expression.as(Facts.of(around, exchange), (value) =>
        typeof value === "boolean"
          ? Number(value)
          : typeof value === "bigint" || typeof value === "number"
            ? Number(value)
            : undefined,
      ) ?? 0
  }
  // Without a policy everything is offered to whoever makes the spans, and he decides.
  const random = policy === undefined ? always : shareFor(policy.randomSampling, never)
  const client = shareFor(policy?.clientSampling, always)
  const filter = policy?.filter === undefined ? undefined : expressions.compile(policy.filter, "log", "logFilter")
  const computed = (policy?.attributes ?? []).map(({ expression, name }) => ({
    name,
    expression: expressions.compile(expression, "log", "logField"),
  }))
  const hears = readsPayload(filter) || computed.some(({ expression }) => readsPayload(expression))
  const ofItself: Activation = { get: (name) => (name === "env" ? around.env : undefined) }
  const resources = (policy?.resources ?? []).flatMap(({ expression, name }) => {
    const value = expressions.compile(expression, "log", "logField").program.evaluate(ofItself)
    return isError(value) ? [] : fieldsOf(name, value)
  })
  const factsOf = (exchange: Exchange, { endedMillis, reply }: Ending): Facts => {
    const facts = Facts.replied(around, exchange, reply)
    facts.endedMillis = endedMillis
    return facts
  }

  const traceOf = (exchange: Exchange, remote: TraceContext | undefined): Trace | undefined => {
    if (maker === undefined) {
      return Trace.begin(clock.random, remote?.traceId ?? newTraceId(clock.random), remote, propagation)
    }
    const { request, startedMillis } = exchange
    const made = maker.begin({
      name: request.method,
      remote,
      state: request.headers.get(tracestateHeader),
      startedMillis,
      attributes: known
        .filter(([name]) => policy?.remove.includes(name) !== true)
        .map(([name, of]) => [name, of(request)] as const),
    })
    return made === undefined ? undefined : Trace.from(clock.random, made, remote, propagation)
  }

  const begin = (exchange: Exchange, remote: TraceContext | undefined): void => {
    const trace = traceOf(exchange, remote)
    if (trace === undefined) return
    exchange.trace = trace
    if (hears) exchange.keepsPayload = true
    exchange.inquiry ??= new Story(clock)
  }

  const follow = (exchange: Exchange, remote: TraceContext): void => {
    if (policy !== undefined) {
      // Whoever began the trace does not want it: then it goes on as it came.
      if ((remote.flags & sampledFlag) === 0 && policy.decidesAlone !== true) return
      const share = client(exchange)
      if (share < 1 && shareOf(remote.traceId) >= share) return
    }
    begin(exchange, remote)
  }

  return {
    policy,
    resources,
    adopt: (exchange, traceparent) => {
      const remote = parse(traceparent)
      if (remote === undefined) return
      if (exchange.trace === undefined) follow(exchange, remote)
      else exchange.trace.adopt(remote)
    },
    begin: (exchange) => {
      const remote = propagation.extract(exchange.request.headers)
      if (remote === undefined) {
        const share = random(exchange)
        // Drawn first: an exchange that is not sampled needs no name for its trace.
        if (share <= 0 || (share < 1 && clock.random() >= share)) return
        begin(exchange, undefined)
      } else follow(exchange, remote)
    },
    keeps: (exchange, ending) => filter === undefined || filter.holds(factsOf(exchange, ending)) === true,
    attributes: (exchange, ending) => {
      if (computed.length === 0) return []
      const facts = factsOf(exchange, ending)
      return computed.flatMap(({ expression, name }) => {
        const value = expression.evaluate(facts)
        return isError(value) ? [] : fieldsOf(name, value)
      })
    },
  }
}
