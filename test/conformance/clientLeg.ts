/** One leg in which the suite is the server, and a gateway with an SDK client before it is what calls it. */
import * as fs from "node:fs"
import * as path from "node:path"
import type { ClientLeg } from "./legs.ts"
import { ran } from "./started.ts"
import { suite, type Verdict } from "./Verdict.ts"

export const runClientLeg = async (leg: ClientLeg, directory: string): Promise<Verdict> => {
  const driver = path.join(import.meta.dirname, "mcp", leg.driver ?? "client.ts")
  const failed: Array<string> = []
  for (const scenario of leg.scenarios) {
    const { code, text } = await ran(
      [
        suite,
        "client",
        "--command",
        `${process.execPath} ${driver}`,
        "--scenario",
        scenario,
        "--spec-version",
        leg.requirements,
        // A gateway is started for each, on a machine that may be busy.
        "--timeout",
        "120000",
        "-o",
        path.join(directory, leg.name),
      ],
      directory,
    )
    fs.writeFileSync(path.join(directory, `${leg.name}.${scenario.replaceAll("/", "-")}.log`), text)
    if (code !== 0) failed.push(scenario)
  }
  return { leg: leg.name, passed: leg.scenarios.length - failed.length, failed }
}
