import { describe, expect, it } from "vitest"
import type { Tracing } from "../../../ir/policy/Tracing.ts"
import { compile } from "../../../stages/5-policy/tracing.ts"
import type { Routed } from "../../../stages/Exchange.ts"
import type { MadeSpan, SpanMaker } from "../../../stages/Trace.ts"
import { makeExchange } from "../exchange.ts"
import { cel, computing } from "./computing.ts"

const policy = (more: Partial<Tracing> = {}): Tracing => ({
  _tag: "Tracing",
  callee: { backend: { _tag: "Backend", backend: "/x" as never }, policies: [] },
  attributes: [],
  resources: [],
  remove: [],
  path: "/v1/traces",
  protocol: "http",
  ...more,
})

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const asked = (flags: string, id = traceId): Routed => {
  const exchange = makeExchange()
  exchange.request.headers.set("traceparent", `00-${id}-00f067aa0ba902b7-${flags}`)
  return exchange
}

const begun = (more: Partial<Tracing>, exchange: Routed = makeExchange()): Routed => {
  compile(policy(more), computing())?.begin(exchange)
  return exchange
}

describe("sampling", () => {
  it("leaves alone what comes without a trace, unless told otherwise", () => {
    expect(begun({}).trace).toBeUndefined()
    expect(begun({ randomSampling: { _tag: "Fraction", fraction: 1 } }).trace?.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(begun({ randomSampling: { _tag: "Computed", expression: cel("true") } }).trace).toBeDefined()
    expect(begun({ randomSampling: { _tag: "Computed", expression: cel("0.0") } }).trace).toBeUndefined()
  })

  it("takes no part where an expression fails", () => {
    const sampling = { _tag: "Computed", expression: cel("request.headers.nope == 'x'") } as const
    expect(begun({ randomSampling: sampling }).trace).toBeUndefined()
    const ports = computing()
    compile(policy({ randomSampling: sampling }), ports)?.begin(makeExchange())
    expect(ports.expressions.failures).toEqual({ sampling: 1 })
  })

  it("goes on with the trace of a client that samples, and with no other", () => {
    const exchange = begun({}, asked("01"))
    expect([exchange.trace?.traceId, exchange.trace?.remoteSpanId]).toEqual([traceId, "00f067aa0ba902b7"])
    expect(begun({}, asked("00")).trace).toBeUndefined()
    expect(begun({ clientSampling: { _tag: "Fraction", fraction: 0 } }, asked("01")).trace).toBeUndefined()
  })

  it("has every sampled exchange tell its story, however many there are at once", () => {
    const tracer = compile(policy({ randomSampling: { _tag: "Fraction", fraction: 1 } }), computing())
    const exchanges = Array.from({ length: 500 }, () => makeExchange())
    for (const exchange of exchanges) tracer?.begin(exchange)
    expect(exchanges.filter(({ inquiry, trace }) => trace !== undefined && inquiry !== undefined)).toHaveLength(500)
  })

  it("draws from the trace id, so that all who draw agree", () => {
    const half = { clientSampling: { _tag: "Fraction", fraction: 0.5 } } as const
    const inside = `${"1".repeat(18)}00000000000001`
    const outside = `${"1".repeat(18)}ffffffffffffff`
    expect(begun(half, asked("01", inside)).trace).toBeDefined()
    expect(begun(half, asked("01", outside)).trace).toBeUndefined()
  })

  it("lets a sampled exchange tell its story", () => {
    const exchange = begun({ randomSampling: { _tag: "Fraction", fraction: 1 } })
    exchange.inquiry?.note({ stage: "test", decision: "seen" })
    expect(exchange.inquiry).toMatchObject({ notes: [{ stage: "test", decision: "seen" }] })
  })
})

describe("a trace", () => {
  it("has spans below whoever makes them, and ends them with the exchange", () => {
    const { trace } = begun({}, asked("01"))
    const outer = trace?.span("outer", "internal", 1)
    const inner = outer === undefined ? undefined : trace?.under(outer).span("inner", "client", 2)
    outer?.end(3)
    outer?.end(4, "too late")
    trace?.finish(5)
    expect([outer?.parentId, inner?.parentId]).toEqual([trace?.spanId, outer?.spanId])
    expect([outer?.endedMillis, outer?.error, inner?.endedMillis]).toEqual([3, undefined, 5])
  })

  it("takes a context that came inside the message only where none came with the request", () => {
    const remote = { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: 1 }
    const { trace } = begun({ randomSampling: { _tag: "Fraction", fraction: 1 } })
    trace?.adopt(remote)
    expect([trace?.traceId, trace?.remoteSpanId]).toEqual([remote.traceId, remote.spanId])
    const other = begun({}, asked("01")).trace
    other?.adopt(remote)
    expect(other?.traceId).toBe(traceId)
  })

  it("is bounded", () => {
    const { trace } = begun({}, asked("01"))
    for (let i = 0; i < 600; i++) trace?.span("one", "internal", 1)
    expect([trace?.spans.length, trace?.dropped]).toEqual([512, 88])
  })
})

describe("spans that somebody else makes", () => {
  /** Makes spans with numbers for ids, and says what was asked of it. */
  const maker = (isWanted: (attributes: unknown) => boolean = () => true) => {
    const said: Array<string> = []
    let last = 0
    const make = (name: string, inTrace: string): MadeSpan => {
      const spanId = String(++last).padStart(16, "0")
      return {
        context: { traceId: inTrace, spanId, flags: 1 },
        part: (part) => make(part, inTrace),
        again: (remote) => {
          said.push(`${name} again`)
          return make(name, remote.traceId)
        },
        link: (remote) => void said.push(`${name} linked to ${remote.spanId}`),
        end: () => void said.push(`${name} ended`),
      }
    }
    const made: SpanMaker = {
      begin: ({ attributes, name, remote }) =>
        isWanted(Object.fromEntries(attributes)) ? make(name, remote?.traceId ?? "c".repeat(32)) : undefined,
    }
    return { maker: made, said }
  }
  const inside = { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: 1 }

  it("have ids that upstreams are told, and need no policy", () => {
    const exchange = makeExchange()
    compile(undefined, computing(), maker())?.begin(exchange)
    const { trace } = exchange
    const call = trace?.span("call", "client", 1)
    expect([trace?.traceId, trace?.spanId, call?.spanId, call?.parentId]).toEqual([
      "c".repeat(32),
      "0".repeat(15) + "1",
      "0".repeat(15) + "2",
      "0".repeat(15) + "1",
    ])
  })

  it("begin anew in the trace that came inside the message, while nothing was made below them", () => {
    const { maker: made, said } = maker()
    const exchange = makeExchange()
    compile(undefined, computing(), { maker: made })?.begin(exchange)
    exchange.trace?.adopt(inside)
    exchange.trace?.adopt({ ...inside, spanId: "d".repeat(16) })
    expect([exchange.trace?.traceId, exchange.trace?.spanId, exchange.trace?.remoteSpanId]).toEqual([
      inside.traceId,
      "0".repeat(15) + "2",
      inside.spanId,
    ])
    expect(said).toEqual(["GET again"])
  })

  it("point at that trace once something was made below them, which upstreams were told already", () => {
    const { maker: made, said } = maker()
    const exchange = makeExchange()
    compile(undefined, computing(), { maker: made })?.begin(exchange)
    exchange.trace?.span("call", "client", 1)
    exchange.trace?.adopt(inside)
    expect([exchange.trace?.traceId, exchange.trace?.remoteSpanId]).toEqual(["c".repeat(32), undefined])
    expect(said).toEqual([`GET linked to ${inside.spanId}`])
  })

  it("are shown nothing that the policy removes, and sampled only where both want it", () => {
    const shown: Array<unknown> = []
    const { maker: made } = maker((attributes) => {
      shown.push(attributes)
      return false
    })
    const exchange = makeExchange()
    const all = { _tag: "Fraction", fraction: 1 } as const
    compile(policy({ randomSampling: all, remove: ["http.path"] }), computing(), { maker: made })?.begin(exchange)
    expect(exchange.trace).toBeUndefined()
    expect(Object.keys(shown[0] as object)).toEqual(["http.method", "http.host"])
    compile(policy(), computing(), { maker: made })?.begin(makeExchange())
    expect(shown).toHaveLength(1)
  })

  it("are none where tracing is off", () => {
    expect(compile(policy(), computing(), { ...maker(), isDisabled: true })).toBeUndefined()
    expect(compile(undefined, computing())).toBeUndefined()
  })
})

it("a sampler that decides alone follows a client that does not sample", () => {
  expect(begun({}, asked("00")).trace).toBeUndefined()
  expect(begun({ decidesAlone: true }, asked("00")).trace?.traceId).toBe(traceId)
})
