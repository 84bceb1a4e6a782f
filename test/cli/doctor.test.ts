import { mkdtempSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { doctor, examine } from "../../src/cli/doctor.ts"

const folder = mkdtempSync(join(tmpdir(), "sluice-doctor-"))
const admin = "http://127.0.0.1:1"
let open: net.Server
let port: number

beforeAll(async () => {
  open = net.createServer((socket) => socket.end())
  await new Promise<void>((resolve) => open.listen(0, "127.0.0.1", resolve))
  port = (open.address() as net.AddressInfo).port
})
afterAll(() => open.close())

const write = (text: string): string => {
  const file = join(folder, `${Math.random()}.yaml`)
  writeFileSync(file, text)
  return file
}

describe("doctor", () => {
  it("looks at ports, targets, and the database", async () => {
    const file = write(`
config: {database: {url: "sqlite://${folder}/data.db"}}
binds: [{port: ${port}, listeners: [{routes: [{backends: [{host: "127.0.0.1:${port}"}, {host: "127.0.0.1:1"}]}]}]}]
`)
    const found = await examine(file, admin, { OPENAI_API_KEY: "hidden-word" })
    const said = found.map(({ about, grade }) => `${grade} ${about}`)
    expect(said).toEqual(
      expect.arrayContaining([
        `fail bind/${port}`,
        `ok 127.0.0.1:${port}`,
        "fail 127.0.0.1:1",
        "ok database",
        "ok openAI",
        `ok ${file}`,
      ]),
    )
    expect(JSON.stringify(found)).not.toContain("hidden-word")
  })

  it("fails with what is wrong in the file", async () => {
    const printed = await doctor(write("binds: 7"), admin, false, {})
    expect(printed.exitCode).toBe(1)
    expect(printed.out).toContain("FAIL")
  })

  it("has nothing to find fault with where there is nothing", async () => {
    expect((await doctor(undefined, admin, true, {})).exitCode).toBe(0)
  })
})
