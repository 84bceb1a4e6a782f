/** A short form of the soak: many streams at once come whole and in order, and leave nothing behind. */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, it } from "vitest"
import { collecting, memoryOf } from "../../../bench/told.ts"
import { makeDirectory, Standalone } from "../standalone.ts"
import { configuration, listen, startCounter, wrong } from "./manyStreams.ts"
import { freePort } from "../../freePort.ts"

const pace = { tokens: 60, millis: 10 }
const STREAMS = 100
/** The first rounds fill pools and warm the compiler; what the later ones add is what streams leave behind. */
const WARM_ROUNDS = 3
const ROUNDS = 4
/** Of a stream, once everything that can be collected was; a living one holds five times as much. */
const LEFT_BYTES_MAX = 4_000

it("a hundred streams at once come whole and in order, and leave nothing behind", { timeout: 120_000 }, async () => {
  const counter = await startCounter(pace)
  const directory = makeDirectory()
  const port = await freePort()
  const file = path.join(directory, "gateway.json")
  fs.writeFileSync(file, configuration(port, counter.port))
  const gateway = new Standalone({
    args: ["-f", file],
    hasChannel: true,
    node: collecting,
    env: { ADMIN_ADDR: undefined, STATS_ADDR: undefined, READINESS_ADDR: undefined },
  })
  try {
    for (let i = 0; ; i++) {
      const first = await listen(port).catch(() => undefined)
      if (first !== undefined) break
      if (i > 500) throw new Error(`the gateway does not answer\n${gateway.out}\n${gateway.error}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const round = async (): Promise<void> => {
      const all = await Promise.all(Array.from({ length: STREAMS }, () => listen(port)))
      expect(all.map((heard) => wrong(heard, pace)).filter((problem) => problem !== undefined)).toEqual([])
    }
    for (let i = 0; i < WARM_ROUNDS; i++) await round()
    const held = async () => (await memoryOf(gateway.child)).heldBytes
    const before = await held()
    for (let i = 0; i < ROUNDS; i++) await round()
    expect(((await held()) - before) / (ROUNDS * STREAMS)).toBeLessThan(LEFT_BYTES_MAX)
  } finally {
    gateway.child.kill("SIGKILL")
    await gateway.ended
    await counter.close()
    fs.rmSync(directory, { recursive: true, force: true })
  }
})
