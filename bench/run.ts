/**
 * Measures what the gateway costs beside the least that it could, prints the table and writes it down.
 *
 *   npm run bench -- [--quick] [--row NAME]… [--check] [--rounds N] [--loader wrk|own] [--output FILE] [--list]
 */
import { writeFileSync } from "node:fs"
import * as os from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Lab, type Settings } from "./Lab.ts"
import { rows } from "./rows.ts"
import { type Measured, table, verdicts } from "./table.ts"
import * as wrk from "./wrk.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    row: { type: "string", multiple: true },
    rounds: { type: "string" },
    loader: { type: "string" },
    output: { type: "string", default: join(import.meta.dirname, "results.json") },
  },
})

const chosen = values.row === undefined ? rows : rows.filter(({ name }) => values.row?.includes(name))
const unknown = (values.row ?? []).filter((name) => !rows.some((row) => row.name === name))

const settings: Settings = {
  quick: values.quick,
  loader: values.loader === "own" || values.quick || !wrk.isThere() ? "own" : "wrk",
  rounds: Number(values.rounds ?? (values.quick ? 2 : 10)),
  roundMillis: 1_000,
  warmMillis: 4_000,
  connections: values.quick ? 4 : 32,
}

const machine = () => ({
  cpu: os.cpus()[0]?.model ?? "unknown",
  cores: os.availableParallelism(),
  memoryGigabytes: Math.round(os.totalmem() / 1e9),
  system: `${os.type()} ${os.release().split(/[.-]/).slice(0, 2).join(".")} ${os.arch()}`,
  loadBefore: os.loadavg().map((value) => Math.round(value * 100) / 100),
})

const note = (text: string): void => void process.stderr.write(`${text}\n`)

const measure = async (): Promise<ReadonlyArray<Measured>> => {
  const measured: Array<Measured> = []
  for (const row of chosen) {
    note(`${row.name}: ${row.path}`)
    const lab = new Lab(settings)
    const facts = { name: row.name, path: row.path, floorIs: row.floor }
    try {
      const result = await row.run(lab)
      measured.push({ ...facts, result, verdicts: verdicts(row, result), problem: undefined })
      note(`  ${JSON.stringify(result.more)}`)
    } catch (error) {
      measured.push({
        ...facts,
        result: undefined,
        verdicts: [],
        problem: error instanceof Error ? error.message : String(error),
      })
    } finally {
      lab.close()
    }
  }
  return measured
}

const main = async (): Promise<number> => {
  if (values.list || unknown.length > 0) {
    if (unknown.length > 0) note(`no such row: ${unknown.join(", ")}`)
    for (const { name, path } of rows) console.log(`${name.padEnd(16)} ${path}`)
    return unknown.length > 0 ? 2 : 0
  }
  const facts = machine()
  const date = new Date().toISOString()
  const measured = await measure()
  writeFileSync(
    values.output,
    `${JSON.stringify({ date, node: process.version, machine: facts, settings, rows: measured }, undefined, 2)}\n`,
  )
  console.log(table(measured))
  const missed = measured.some(
    ({ problem, verdicts }) => problem !== undefined || verdicts.some(({ passed }) => !passed),
  )
  return values.check && missed ? 1 : 0
}

process.exit(await main())
