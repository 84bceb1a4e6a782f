import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { afterAll, describe, expect, it } from "vitest"
import { blocksOf, root } from "./blocks.ts"
import { freePort } from "../freePort.ts"

/** Inside the repository, where the packages are found, and outside of anything that is checked in. */
const directory = path.join(root, ".cache", `embedding-${process.pid}`)
fs.mkdirSync(directory, { recursive: true })
afterAll(() => fs.rmSync(directory, { recursive: true }))

const packages: Readonly<Record<string, string>> = {
  sluice: "../../src/index.ts",
  "sluice/ir": "../../ir/index.ts",
  "sluice/testing": "../../src/testing.ts",
}

const blocks = blocksOf("docs/embedding.md")
const programs = blocks.flatMap((block, i) => {
  if (block.language !== "ts") return []
  const expected = blocks[i + 1]
  if (expected?.language !== "text") throw new Error(`docs/embedding.md:${block.line}: what does it print?`)
  return [{ ...block, expected: expected.text }]
})

const run = promisify(execFile)

for (const { line, text } of programs) {
  const port = await freePort()
  fs.writeFileSync(
    path.join(directory, `line-${line}.ts`),
    text
      .replaceAll(/from "(sluice[^"]*)"/g, (_, name: string) => `from "${packages[name] ?? name}"`)
      .replaceAll(/\b410\d\b/g, String(port)),
  )
}

describe("the programs of docs/embedding.md print what the page says", () => {
  it("there are some", () => expect(programs.length).toBeGreaterThan(3))

  it.each(programs)("the one in line $line", { timeout: 240_000 }, async ({ expected, line, text }) => {
    const ended = await run(process.execPath, [path.join(directory, `line-${line}.ts`)]).catch(
      (error: unknown) => error,
    )
    expect(ended).toMatchObject({ stdout: expected, stderr: "" })
    // A program that ends by a signal says so.
    expect((ended as { readonly code?: number }).code ?? 0).toBe(text.includes("SIGTERM") ? 130 : 0)
  })

  it("all of them are well typed", { timeout: 240_000 }, async () => {
    fs.writeFileSync(
      path.join(directory, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.base.json",
        compilerOptions: {
          types: ["node"],
          lib: ["esnext"],
          composite: false,
          incremental: false,
          declarationMap: false,
          emitDeclarationOnly: false,
          rootDir: "../..",
          noEmit: true,
        },
        include: ["*.ts"],
      }),
    )
    const checked = run(path.join(root, "node_modules/.bin/tsc"), ["-p", directory], { cwd: directory })
    // Only what the page itself says is of interest.
    const said = await checked.then(
      () => "",
      (error: { readonly stdout: string }) => error.stdout,
    )
    expect(said.split("\n").filter((one) => /^(?:line-|tsconfig)/.test(one))).toEqual([])
  })
})
