import { expect, it } from "vitest"
import { Curiosity } from "../../src/telemetry/Curiosity.ts"
import { Stories, storiesMax, storyWitness } from "../../src/telemetry/Stories.ts"
import type { Remains } from "../../src/telemetry/Remains.ts"
import { FakeClock } from "../stages/exchange.ts"
import { makeExchange } from "../stages/exchange.ts"
import { Trace } from "../../stages/Trace.ts"
import { Told } from "../../src/telemetry/Told.ts"

const remains = (id: string): Remains => ({
  id,
  startedMillis: 10,
  endedMillis: 12,
  startedUnixMillis: 1_700_000_000_000,
  fields: [["http.method", "GET"]],
  status: 200,
  error: undefined,
  endpoint: "10.0.0.1:80",
  listenerName: "main",
  routeName: "shop",
  reason: "Upstream",
  outcome: "answered",
  isOwn: false,
  listener: "l",
  route: "r",
  match: undefined,
  backend: "b",
  attempts: 1,
  refusal: undefined,
  refusedBy: undefined,
  declined: undefined,
  notes: [{ atMillis: 11, stage: "route", decision: "r" }],
  notesDropped: 0,
  spans: undefined,
  steps: [],
  problem: undefined,
})

it("every story is kept until newer ones need its room, and those that went are counted", () => {
  let forgotten = 0
  const stories = new Stories((count) => (forgotten += count))
  for (let i = 0; i < storiesMax + 100; i++) stories.add(remains(`id${i}`))
  expect(forgotten).toBe(100)
  expect(stories.get("id99")).toBeUndefined()
  expect(stories.get("id100")).toMatchObject({ id: "id100", status: 200, recorded: true })
  expect(stories.latest(2).map(({ id }) => id)).toEqual([`id${storiesMax + 99}`, `id${storiesMax + 98}`])
})

it("a sampled exchange has a story, whatever became of it; another has one only where it was refused or asked for", () => {
  const clock = new FakeClock()
  const stories = new Stories()
  const witness = storyWitness(stories, new Curiosity(clock))
  const tell = (id: string, change: (exchange: ReturnType<typeof makeExchange>) => void): void => {
    const exchange = makeExchange()
    exchange.id = id
    change(exchange)
    const ending = { reply: undefined, delivered: undefined, outcome: "interrupted", endedMillis: 5 } as const
    const line = { status: 0, peer: { host: "10.0.0.9", port: 1 }, attempts: 0, protocol: "http", durationMillis: 1 }
    const place = { gateway: undefined, listener: undefined, rule: undefined, route: undefined }
    witness.tell(new Told(exchange, ending, line as Told["line"], place, "ClientGone", [], 1_000))
  }
  tell("sampled", (exchange) => {
    exchange.trace = Trace.begin(() => 0.5, "a".repeat(32), undefined)
  })
  tell("declined", ({ trail }) => {
    trail.declined = { by: "a guard", why: "no" }
  })
  tell("usual", () => {})
  expect(stories.latest(10).map(({ id }) => id)).toEqual(["declined", "sampled"])
})
