import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Batch, type Sent } from "../../../src/telemetry/otlp/Batch.ts"

/** A batch of texts whose clock stands until `pass` is called. */
const batchOf = (answers: Array<Sent>, settings: { waitingMax?: number; batchMax?: number } = {}) => {
  const sent: Array<string> = []
  const dropped: Array<readonly [number, string]> = []
  const due: Array<() => void> = []
  const batch = new Batch<string>({
    waitingMax: 4,
    batchMax: 3,
    delayMillis: 1_000,
    exportMillis: 30_000,
    ...settings,
    clock: {
      random: () => 0.5,
      nowMillis: () => 0,
      after: (_, run) => {
        due.push(run)
        return () => void due.splice(due.indexOf(run), 1)
      },
    },
    write: (writer, one) => {
      writer.string(one)
      if (one === "bad") throw new Error("no such thing")
    },
    send: (items) =>
      Effect.sync(() => {
        sent.push(
          Buffer.from(items)
            .toString("latin1")
            .replace(/[^a-z]/g, " "),
        )
        return answers.shift() ?? { _tag: "Taken" }
      }),
    onDropped: (count, why) => dropped.push([count, why]),
  })
  const pass = (): void => {
    for (const run of due.splice(0)) run()
  }
  return { batch, sent, dropped, pass, due }
}

it("sends what was gathered together when its time is up, and a full one at once", async () => {
  const { batch, pass, sent } = batchOf([])
  batch.offer("a")
  batch.offer("b")
  expect([sent, batch.size]).toEqual([[], 2])
  pass()
  await batch.flush()
  expect([sent, batch.size]).toEqual([[" a b"], 0])
  for (const one of ["c", "d", "e"]) batch.offer(one)
  await batch.flush()
  expect(sent).toEqual([" a b", " c d e"])
})

it("drops what is beyond the bound, and what cannot be written, and tells how much", async () => {
  const { batch, dropped, sent } = batchOf([], { batchMax: 100 })
  for (const one of ["a", "bad", "b", "c", "d", "e"]) batch.offer(one)
  await batch.flush()
  expect(dropped).toEqual([
    [1, "it cannot be written: no such thing"],
    [1, "too many wait"],
  ])
  expect(sent).toEqual([" a b c d"])
})

it("keeps a batch for a receiver that is busy, and gives up one that is refused", async () => {
  const { batch, due, dropped, pass, sent } = batchOf([
    { _tag: "Later", why: "busy" },
    { _tag: "Taken" },
    { _tag: "Refused", why: "wrong" },
  ])
  batch.offer("a")
  const first = batch.flush()
  while (sent.length === 0 || due.length === 0) await new Promise((resolve) => setImmediate(resolve))
  batch.offer("b")
  pass()
  await first
  await batch.flush()
  expect(sent).toEqual([" a", " a", " b"])
  expect(dropped).toEqual([[1, "wrong"]])
})
