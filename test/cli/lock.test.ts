/** `sluice lock` against what the admin API answers, and on a file alone. */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { lockEndpoints } from "../../src/admin/v1/locks.ts"
import { parse } from "../../src/cli/flags.ts"
import { lock } from "../../src/cli/lock.ts"
import { change } from "../../src/lock/lockFile.ts"
import { itemOf } from "../../protocols/lock/Item.ts"
import { inMemory, type Locks, observed, type Pin } from "../../stages/ports/Locks.ts"

const clock = { wallMillis: () => 1_000 }
const digest = (text: string): string => createHash("sha256").update(text).digest("hex")
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-lock-"))

let locks: Locks
let server: http.Server
let admin: string

const pinOf = (description: string, by: string): Pin => {
  const item = itemOf("tool", JSON.stringify({ name: "read", description }), digest)
  if (item === undefined) throw new Error("no definition")
  const { canonicalText, hash, kind, name } = item
  return { kind, name, hash, text: canonicalText, by, at: "2026-01-01T00:00:00Z" }
}

const tell = (server: string, description: string, grade: "cosmetic" | "suspicious"): Promise<boolean> => {
  const { hash, kind, name, text } = pinOf(description, "")
  return Effect.runPromise(
    locks.report({
      book: { _tag: "Storage" },
      server,
      kind,
      name,
      hash,
      text,
      grade,
      action: "hidden",
      reasons: ["gives an order"],
      firstMillis: 1,
      lastMillis: 1,
    }),
  )
}

const said = async (...words: ReadonlyArray<string>) => {
  const asked = parse(["lock", ...words])
  if (asked._tag !== "Lock") throw new Error(JSON.stringify(asked))
  return lock(asked, { SLUICE_ADMIN: admin })
}

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const { method = "", url = "" } = request
    const found = lockEndpoints(locks, clock).find((one) => one.path === url && one.method === method)
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const asked = { query: new URLSearchParams(), body: async () => Buffer.concat(chunks).toString() }
      void found?.run(asked as never, "").then((answer) => response.writeHead(answer.status).end(String(answer.body)))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  admin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  fs.rmSync(folder, { recursive: true })
})
beforeEach(() => {
  locks = inMemory(clock, digest)
})

describe("sluice lock", () => {
  it("lists what nobody approved, and shows it beside what was", async () => {
    await Effect.runPromise(
      locks.write(
        { book: { _tag: "Storage" }, server: "files" },
        { pins: [pinOf("Reads a file.", "ann")], met: ["tool"] },
        "",
      ),
    )
    await tell("files", "Reads\u001b[2J every file.", "suspicious")
    const listed = await said("list")
    expect(listed.out).toContain("files: tool read  suspicious, hidden")
    const shown = await said("diff", "files", "tool", "read")
    expect(shown.out).toMatch(/^- .*Reads a file\./m)
    expect(shown.out).toMatch(/^\+ .*every file\./m)
    expect(shown.out).not.toContain("\u001b")
    expect((await said("list", "others")).out).toContain("nothing")
  })

  it("fails a check as long as something is not approved, and approves it", async () => {
    await tell("files", "Reads every file.", "suspicious")
    expect(await said("check")).toMatchObject({ exitCode: 1 })
    expect(await said("approve", "files", "tool", "other")).toMatchObject({ exitCode: 1 })
    expect(await said("approve", "files", "tool", "read")).toMatchObject({ exitCode: 0 })
    expect(await said("check")).toMatchObject({ exitCode: 0 })
    const { pins } = await Effect.runPromise(locks.read({ book: { _tag: "Storage" }, server: "files" }))
    expect(pins).toMatchObject([{ name: "read", by: "admin" }])
  })

  it("is not troubled by other words, and does not choose between two", async () => {
    await tell("files", "Reads it.", "cosmetic")
    expect(await said("check")).toMatchObject({ exitCode: 0 })
    await tell("files", "Reads them.", "suspicious")
    const unclear = await said("approve", "files", "--all")
    expect(unclear).toMatchObject({ exitCode: 1 })
    expect(unclear.error).toContain("--hash")
    const { hash } = pinOf("Reads them.", "")
    expect(await said("approve", "files", "tool", "read", "--hash", hash)).toMatchObject({ exitCode: 0 })
  })

  it("checks a file without a gateway: its hashes, and that somebody has approved what is in it", async () => {
    const file = path.join(folder, "gateway.lock")
    const text = change(undefined, "files", { pins: [pinOf("Reads a file.", "ann")], met: ["tool"] })
    fs.writeFileSync(file, text)
    expect(await said("check", file)).toMatchObject({ exitCode: 0 })
    fs.writeFileSync(file, text.replace("Reads a file.", "Reads every file."))
    expect(await said("check", file)).toMatchObject({ exitCode: 1 })
    fs.writeFileSync(file, change(undefined, "files", { pins: [pinOf("Reads a file.", observed)], met: [] }))
    expect((await said("check", file)).error).toContain("only observed")
    expect(await said("check", path.join(folder, "none"))).toMatchObject({ exitCode: 1 })
  })

  it("wants to know what is meant", () => {
    for (const words of [[], ["burn"], ["approve"], ["approve", "files"], ["approve", "files", "tool", "--all"]]) {
      expect(parse(["lock", ...words])._tag, words.join(" ")).toBe("Usage")
    }
  })
})
