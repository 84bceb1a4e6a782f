/**
 * `npm run conformance [leg …]`: the official suite for MCP, through a gateway that runs as it is shipped. Each leg is a
 * kind of client in front of a kind of server; every deviation that is expected is written down, and none else passes.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { runClientLeg } from "./clientLeg.ts"
import { type Leg, legs } from "./legs.ts"
import { runServerLeg } from "./serverLeg.ts"
import type { Verdict } from "./Verdict.ts"

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !legs.some((leg) => leg.name === name))
if (unknown.length > 0) {
  console.error(`no such leg: ${unknown.join(", ")}; there are ${legs.map(({ name }) => name).join(", ")}`)
  process.exit(2)
}
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "conformance-"))

const run = async (leg: Leg): Promise<Verdict> => {
  try {
    return await (leg._tag === "Client" ? runClientLeg(leg, directory) : runServerLeg(leg, directory))
  } catch (cause) {
    return { leg: leg.name, passed: 0, failed: [String(cause)] }
  }
}

let isGood = true
const waiting = legs.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
/** Most of a leg is waiting for processes to start, so two of them share the machine well. */
const worker = async (): Promise<void> => {
  for (let leg = waiting.shift(); leg !== undefined; leg = waiting.shift()) {
    const { failed, passed } = await run(leg)
    isGood &&= failed.length === 0
    console.log(
      `${failed.length === 0 ? "✓" : "✗"} ${leg.name}: ${passed} scenarios passed${failed.length === 0 ? "" : `; ${failed.join(", ")}`}`,
    )
  }
}
await Promise.all([worker(), worker()])
console.log(`Details are in ${directory}.`)
process.exit(isGood ? 0 : 1)
