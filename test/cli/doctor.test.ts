import { X509Certificate } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
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

describe("what a configuration leans on", () => {
  const pem = readFileSync(new URL("../e2e/certificates/server.pem", import.meta.url), "utf8")
  const { validFrom, validTo } = new X509Certificate(pem)
  const day = 86_400_000
  const grades = async (text: string, env: Record<string, string> = {}, nowMillis?: number) =>
    (await examine(write(text), admin, env, nowMillis)).map(
      ({ about, grade, message }) => `${grade} ${about}: ${message}`,
    )
  const certificates = new URL("../e2e/certificates/", import.meta.url).pathname
  const sealed = `binds: [{port: 0, listeners: [{name: shop, protocol: HTTPS, tls: {cert: "${certificates}server.pem", key: "${certificates}server.key"}, routes: []}]}]`

  it("certificates have to hold now, and for some weeks", async () => {
    const about = async (nowMillis: number) =>
      (await grades(sealed, {}, nowMillis)).filter((one) => /ends in|ended on|not valid before/.test(one))
    const end = Date.parse(validTo)
    expect(await about(end - 100 * day)).toEqual([expect.stringMatching(/^ok .*ends in 100 days$/)])
    expect(await about(end - 10 * day)).toEqual([expect.stringMatching(/^warn .*ends in 10 days$/)])
    expect(await about(end + day)).toEqual([expect.stringMatching(/^fail .*ended on /)])
    expect(await about(Date.parse(validFrom) - day)).toEqual([expect.stringMatching(/^fail .*is not valid before /)])
  })

  it("a clock that cannot be right is told", async () => {
    expect(await grades("binds: []", {}, Date.parse("1970-01-02"))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^fail clock: says 1970-01-02/)]),
    )
    const late = http.createServer((_, response) =>
      response.writeHead(200, { date: new Date(Date.now() - 3_600_000).toUTCString() }).end(),
    )
    await new Promise<void>((resolve) => late.listen(0, "127.0.0.1", resolve))
    const found = await grades(
      `binds: [{port: 0, listeners: [{routes: [{backends: [{host: "127.0.0.1:${(late.address() as net.AddressInfo).port}"}]}]}]}]`,
    )
    late.close()
    late.closeAllConnections()
    expect(found).toEqual(
      expect.arrayContaining([expect.stringMatching(/^warn clock: differs by 36\d\d s from that of a target$/)]),
    )
  })

  it("programs of servers of tools have to be there", async () => {
    const found = await grades(
      "mcp: {port: 39999, targets: [{name: here, stdio: {cmd: node}}, {name: gone, stdio: {cmd: no-such-program}}]}",
      { PATH: dirname(process.execPath) },
    )
    expect(found).toContain("ok here: node can be started")
    expect(found).toContain("fail gone: no-such-program is no program that can be started")
  })

  it("a provider without a key is told, unless its key is there", async () => {
    const models = (params: string) =>
      `llm: {port: 39999, models: [{name: gpt, provider: openAI, params: {baseUrl: "http://127.0.0.1:${port}/v1"${params}}}]}`
    expect(await grades(models(""))).toContain(
      "warn openAI: has no key: clients have to bring their own, or set OPENAI_API_KEY",
    )
    expect((await grades(models(", apiKey: hidden-word"))).filter((one) => one.includes("has no key"))).toEqual([])
    const found = await grades(models(""), { OPENAI_API_KEY: "hidden-word" })
    expect(found).toContain("ok openAI: OPENAI_API_KEY is set")
    expect(found).toContain(`ok 127.0.0.1:${port}: can be reached`)
    expect(found.join("\n")).not.toContain("hidden-word")
  })

  it("files that are named have to be there", async () => {
    const printed = await doctor(
      write(
        `binds: [{port: 0, listeners: [{protocol: HTTPS, tls: {cert: "/no/such/cert.pem", key: "${certificates}server.key"}, routes: []}]}]`,
      ),
      admin,
      false,
      {},
    )
    expect(printed.exitCode).toBe(1)
    expect(printed.out).toMatch(/FAIL .*cannot be used:\n.*\/no\/such\/cert\.pem.*there is no such file/s)
    const absent = await doctor(join(folder, "absent.yaml"), admin, false, {})
    expect(absent).toMatchObject({ exitCode: 1, out: expect.stringContaining("FAIL") })
  })

  it("a certificate that is none is told", async () => {
    const broken = join(folder, "broken.pem")
    writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    const found = await grades(
      `binds: [{port: 0, listeners: [{name: shop, protocol: HTTPS, tls: {cert: "${broken}", key: "${certificates}server.key"}, routes: []}]}]`,
    )
    expect(found.filter((one) => one.startsWith("fail"))).not.toEqual([])
  })

  it("the database has to open", async () => {
    const asked = async (path: string) =>
      (await grades(`{config: {database: {url: "sqlite://${path}"}}, binds: []}`)).filter((one) =>
        / database: /.test(one),
      )
    const taken = write("nothing of a folder")
    expect(await asked(join(taken, "data.db"))).toEqual([`fail database: ${taken}/data.db: ${taken} is no folder`])
    expect(await asked(taken)).toEqual([expect.stringMatching(/^fail database: .*not a database/)])
    // It changes nothing, so it makes nothing either.
    const absent = join(folder, "none", "such", "data.db")
    expect(await asked(absent)).toEqual([`ok database: ${absent} is not there yet, and can be made`])
    expect(existsSync(join(folder, "none"))).toBe(false)
    const postgres = await grades(`
config: {database: {url: "postgres://user:hidden-word@127.0.0.1:1/none"}}
binds: []
`)
    expect(postgres).toEqual(expect.arrayContaining([expect.stringMatching(/^fail database: /)]))
    expect(postgres.join("\n")).not.toContain("hidden-word")
  })

  it("providers have to be reached, and so have names that there are not", async () => {
    const found = await grades(`
llm:
  port: 39999
  models:
  - {name: a, provider: openAI, params: {apiKey: k, baseUrl: "http://127.0.0.1:1/v1"}}
  - {name: b, provider: anthropic, params: {apiKey: k, baseUrl: "http://nobody.invalid:80"}}
`)
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^fail 127\.0\.0\.1:1: cannot be reached: .*ECONNREFUSED/),
        expect.stringMatching(/^fail nobody\.invalid:80: cannot be reached: /),
      ]),
    )
  })

  it("a gateway that runs has its ports, so they are not tried", async () => {
    const version = http.createServer((_, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end("{}"),
    )
    await new Promise<void>((resolve) => version.listen(0, "127.0.0.1", resolve))
    const at = `http://127.0.0.1:${(version.address() as net.AddressInfo).port}`
    const found = await examine(write(`binds: [{port: ${port}, listeners: []}]`), at, {})
    version.close()
    version.closeAllConnections()
    expect(found).toContainEqual({ grade: "ok", about: "gateway", message: `answers at ${at}` })
    expect(found.map(({ about }) => about)).not.toContain(`bind/${port}`)
  })

  it("a warning is told, and is no failure", async () => {
    const printed = await doctor(
      write(
        "llm: {port: 39999, models: [{name: gpt, provider: openAI, params: {baseUrl: 'http://127.0.0.1:" +
          String(port) +
          "/v1'}}]}",
      ),
      admin,
      false,
      {},
    )
    expect(printed.out).toMatch(/^warn {2}openAI: has no key/m)
    expect(printed.exitCode).toBe(0)
  })
})
