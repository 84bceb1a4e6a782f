/** The benchmark runs, and what it writes can be read; how fast anything was is no matter here. */
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const run = promisify(execFile)
const program = join(import.meta.dirname, "../../bench/run.ts")
const asNode = { env: { ...process.env, NODE_OPTIONS: "" } }

interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
}

interface Results {
  readonly date: string
  readonly node: string
  readonly machine: Readonly<Record<string, unknown>>
  readonly rows: ReadonlyArray<{
    readonly name: string
    readonly problem?: string
    readonly result: { readonly floor: Figure; readonly ours: Figure; readonly more: Readonly<Record<string, number>> }
    readonly verdicts: ReadonlyArray<{
      readonly of: string
      readonly max: number
      readonly value: Figure
      readonly passed: boolean
    }>
  }>
}

// CPU times come from /proc.
describe.runIf(existsSync("/proc/self/stat"))("the benchmark", () => {
  let folder = ""
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-bench-test-"))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("measures a row, prints it and writes it down", async () => {
    const output = join(folder, "results.json")
    const { stdout } = await run(process.execPath, [program, "--quick", "--row", "get", "--output", output], asNode)
    const results = JSON.parse(readFileSync(output, "utf8")) as Results
    expect(Date.parse(results.date)).toBeGreaterThan(0)
    expect(results.node).toBe(process.version)
    expect(Object.keys(results.machine).toSorted()).toEqual(["cores", "cpu", "loadBefore", "memoryGigabytes", "system"])
    const [row, ...others] = results.rows
    expect(others).toEqual([])
    expect(row?.problem).toBeUndefined()
    expect(row?.name).toBe("get")
    for (const figure of [row?.result.floor, row?.result.ours, row?.verdicts[0]?.value]) {
      expect(figure?.min).toBeGreaterThan(0)
      expect(figure?.median).toBeGreaterThanOrEqual(figure?.min ?? Infinity)
      expect(figure?.max).toBeGreaterThanOrEqual(figure?.median ?? Infinity)
    }
    expect(row?.result.more["gateway failed"]).toBe(0)
    const [verdict] = row?.verdicts ?? []
    expect(verdict).toMatchObject({ of: "ratio", max: 1.15 })
    expect(verdict?.passed).toBe((verdict?.value.median ?? Infinity) <= 1.15)
    expect(stdout).toContain("GET, 64 B reply, one route")
    expect(stdout).toContain(verdict?.passed === true ? "pass" : "MISSED")
  })

  it("refuses a row that does not exist, and names those that do", async () => {
    const refused = run(process.execPath, [program, "--row", "nothing"], asNode)
    await expect(refused).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no such row: nothing"),
      stdout: expect.stringContaining("memory-idle"),
    })
  })
})
