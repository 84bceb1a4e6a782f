/**
 * Two hundred streams at once, for a minute: memory stays flat, nothing comes out of order, and between one token and the
 * next the gateway adds less than 5 ms to what a bare proxy needs. Both carry as many streams at the same time, side by
 * side, so that whatever else the machine does disturbs both alike.
 */
import { fork } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { makeDirectory, Standalone } from "../e2e/standalone.ts"
import { configuration, type Heard, listen, residentMegabytes, startCounter, wrong } from "../e2e/llm/manyStreams.ts"
import { freePort } from "../freePort.ts"

const STREAMS = Number(process.env["SOAK_STREAMS"] ?? 200)
const MILLIS = Number(process.env["SOAK_MILLIS"] ?? 60_000)
/** As fast as people can read. */
const PACE_MILLIS = 50
const pace = { millis: PACE_MILLIS, tokens: Math.round(MILLIS / PACE_MILLIS) }
const ADDED_MILLIS_MAX = 5
const GROWTH_MEGABYTES_MAX = 64

const quantiles = (all: ReadonlyArray<Heard>) => {
  const gaps = all.flatMap(({ gaps }) => gaps).sort((a, b) => a - b)
  const at = (share: number): number => Math.round((gaps[Math.floor(gaps.length * share)] ?? Number.NaN) * 10) / 10
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

it.skipIf(process.platform !== "linux")(
  `${STREAMS} streams at once for ${MILLIS / 1000} seconds`,
  { timeout: 3 * MILLIS + 120_000 },
  async () => {
    const counter = await startCounter(pace)
    const floor = fork(fileURLToPath(new URL("../../bench/floor.ts", import.meta.url)), [String(counter.port)], {
      execArgv: [],
    })
    const floorPort = await new Promise<number>((resolve) =>
      floor.once("message", (message: { readonly port: number }) => resolve(message.port)),
    )
    const directory = makeDirectory()
    const port = await freePort()
    const file = path.join(directory, "gateway.json")
    fs.writeFileSync(file, configuration(port, counter.port))
    const gateway = new Standalone({
      args: ["-f", file],
      env: { ADMIN_ADDR: undefined, STATS_ADDR: undefined, READINESS_ADDR: undefined },
    })
    try {
      for (let i = 0; i < 500; i++) {
        const reply = await fetch(`http://127.0.0.1:${port}/v1/models`).catch(() => undefined)
        if (reply !== undefined) break
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const all = async (at: number): Promise<ReadonlyArray<Heard>> => {
        const heard = await Promise.all(Array.from({ length: STREAMS }, () => listen(at)))
        expect(heard.map((one) => wrong(one, pace)).filter((problem) => problem !== undefined)).toEqual([])
        return heard
      }
      const pid = gateway.child.pid ?? 0
      const resident: Array<number> = []
      const looking = setInterval(() => resident.push(Math.round(residentMegabytes(pid))), MILLIS / 12)
      const [byFloor, byGateway] = await Promise.all([all(floorPort), all(port)])
      clearInterval(looking)
      const gaps = { floor: quantiles(byFloor), gateway: quantiles(byGateway) }
      console.log(JSON.stringify({ streams: STREAMS, millis: MILLIS, gaps, resident }))
      // On a machine that cannot keep the pace by itself, nothing could be said of the gateway.
      expect(gaps.floor.p99, "this machine is too busy to measure anything on").toBeLessThan(3 * PACE_MILLIS)
      expect(gaps.gateway.p99 - gaps.floor.p99).toBeLessThan(ADDED_MILLIS_MAX)
      // The first third fills what is kept of each stream; from there on it is flat.
      const [settled = Number.NaN] = resident.slice(Math.floor(resident.length / 3))
      expect(Math.max(...resident) - settled).toBeLessThan(GROWTH_MEGABYTES_MAX)
    } finally {
      floor.kill("SIGKILL")
      gateway.child.kill("SIGKILL")
      await gateway.ended
      await counter.close()
      fs.rmSync(directory, { recursive: true, force: true })
    }
  },
)
