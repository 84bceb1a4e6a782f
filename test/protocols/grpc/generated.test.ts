import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "../../..")
const generated = "protocols/grpc/generated"

describe("the generated code", () => {
  it("is what the descriptions of the services generate", { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "proto-"))
    try {
      cpSync(join(root, "protocols/grpc/proto"), join(folder, "protocols/grpc/proto"), { recursive: true })
      cpSync(join(root, ".oxfmtrc.json"), join(folder, ".oxfmtrc.json"))
      const bin = join(root, "node_modules/.bin")
      const run = (command: string, ...parameters: ReadonlyArray<string>) =>
        execFileSync(join(bin, command), parameters, {
          cwd: folder,
          env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}`, HOME: folder },
          stdio: "pipe",
        })
      run("buf", "generate", "protocols/grpc/proto", "--template", "protocols/grpc/proto/buf.gen.yaml")
      run("oxfmt", generated)
      const fresh = readdirSync(join(folder, generated)).sort()
      assert.deepStrictEqual(readdirSync(join(root, generated)).sort(), fresh, "run: npm run proto")
      for (const name of fresh) {
        assert.strictEqual(
          readFileSync(join(root, generated, name), "utf8"),
          readFileSync(join(folder, generated, name), "utf8"),
          `${name} is not current; run: npm run proto`,
        )
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
