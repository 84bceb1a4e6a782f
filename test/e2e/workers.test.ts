import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as path from "node:path"
import * as tls from "node:tls"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { get, makeDirectory, Standalone, until, type Words } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const faults = fileURLToPath(new URL("workerFaults.ts", import.meta.url))
const certificates = fileURLToPath(new URL("certificates/", import.meta.url))
const root = makeDirectory()
const running = new Set<Standalone>()

afterEach(async () => {
  for (const one of running) {
    one.kill("SIGKILL")
    await one.ended
  }
  running.clear()
})
afterAll(() => fs.rmSync(root, { recursive: true }))

const start = async (words: Words & { readonly workers?: number }): Promise<Standalone> => {
  const { env, workers = 2, ...rest } = words
  const one = new Standalone({ ...rest, node: ["--import", faults], env: { WORKER_THREADS: String(workers), ...env } })
  running.add(one)
  return one.serving()
}

/** How many sockets listen on a port: one of each thread that serves. */
const listening = (port: number): number =>
  ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap((file) => fs.readFileSync(file, "utf8").split("\n"))
    .filter((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/)
      return state === "0A" && Number.parseInt(local.split(":")[1] ?? "", 16) === port
    }).length

/** The last thread opens its socket when it commits to the plan the others serve. */
const both = (port: number): Promise<void> => until(() => listening(port) === 2)

const answering = (port: number, body: string, more = ""): string => `
gateways:
  default: {port: ${port}${more}}
routes:
  - policies:
      directResponse: {status: 200, body: ${JSON.stringify(body)}}
`

/** As many connections as it takes for both threads to have had some. */
const askMany = async (port: number, path = "/"): Promise<ReadonlyArray<string>> =>
  Promise.all(Array.from({ length: 40 }, async (_, i) => (await get(`http://127.0.0.1:${port}${path}${i}`)).body))

const times = (text: string, what: string): number => text.split(what).length - 1

describe.runIf(process.platform === "linux")("two workers", () => {
  it("both answer on one port, are counted together, and write each line once", async () => {
    const port = await freePort()
    const one = await start({ args: ["-c", answering(port, "x")] })
    expect(one.out).toContain("on 2 cores")
    await both(port)
    const bodies = await askMany(port, "/line-")
    expect(bodies).toEqual(bodies.map(() => "x"))
    expect(times(one.error, "accepted by the main thread\n")).toBeGreaterThan(0)
    expect(times(one.error, "accepted by a worker\n")).toBeGreaterThan(0)
    expect(await one.metric("requests_total")).toBe(40)
    expect(await one.metric("config_synchronized")).toBe(1)
    expect(await one.stop()).toBe(0)
    for (let i = 0; i < 40; i++) expect(times(one.out, `http.path=/line-${i} `)).toBe(1)
  })

  it("a change reaches both", async () => {
    const [port, added] = [await freePort(), await freePort()]
    const file = path.join(root, "reach.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await start({ args: ["-f", file] })
    await both(port)
    fs.writeFileSync(file, answering(added, "second"))
    await one.says("configuration reloaded")
    expect(listening(added)).toBe(2)
    expect(new Set(await askMany(added))).toEqual(new Set(["second"]))
    expect(listening(port)).toBe(0)
    // The port comes back at once: nothing of its first life is in the way.
    fs.writeFileSync(file, answering(port, "third"))
    await until(() => times(one.out, "configuration reloaded") === 2)
    expect(new Set(await askMany(port))).toEqual(new Set(["third"]))
  })

  it("a change that one of them cannot make is made by none", async () => {
    const [port, forbidden] = [await freePort(), await freePort()]
    const file = path.join(root, "none.yaml")
    fs.writeFileSync(file, answering(port, "before"))
    const one = await start({ args: ["-f", file], env: { FAIL_PORT: String(forbidden) } })
    await both(port)
    fs.writeFileSync(
      file,
      `gateways: {default: {port: ${port}}, other: {port: ${forbidden}}}
routes: [{gateways: [default, other], policies: {directResponse: {status: 200, body: after}}}]
`,
    )
    await one.says("Failed to reload config: worker 1: ")
    expect(one.out).toContain("this worker may not")
    expect(new Set(await askMany(port))).toEqual(new Set(["before"]))
    expect(listening(forbidden)).toBe(0)
    expect(await one.metric("config_synchronized")).toBe(0)
    fs.writeFileSync(file, answering(port, "afterwards"))
    await one.says("configuration reloaded")
    expect(new Set(await askMany(port))).toEqual(new Set(["afterwards"]))
    expect(await one.stop()).toBe(0)
  })

  it("one that dies is replaced; the other serves on, and what was counted stays counted", async () => {
    const port = await freePort()
    const file = path.join(root, "replaced.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await start({ args: ["-f", file] })
    await both(port)
    await askMany(port)
    expect(await one.metric("requests_total")).toBe(40)
    one.kill("SIGUSR2")
    await one.says("worker 1 ended; another takes its place")
    await until(() => listening(port) === 1)
    expect(new Set(await askMany(port))).toEqual(new Set(["first"]))
    expect(await one.metric("requests_total")).toBe(80)
    // A change while it is away is the one it joins with.
    fs.writeFileSync(file, answering(port, "second"))
    await one.says("configuration reloaded")
    await both(port)
    const before = times(one.error, "accepted by a worker\n")
    expect(new Set(await askMany(port))).toEqual(new Set(["second"]))
    expect(times(one.error, "accepted by a worker\n")).toBeGreaterThan(before)
    expect(await one.metric("requests_total")).toBe(120)
    expect(await one.stop()).toBe(0)
  })

  it("one that hangs holds a change up for a while, not for ever", async () => {
    const [port, cursed] = [await freePort(), await freePort()]
    const file = path.join(root, "hangs.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await start({ args: ["-f", file], env: { HANG_PORT: String(cursed) } })
    await both(port)
    fs.writeFileSync(file, answering(cursed, "second"))
    await one.says("worker 1 does not answer")
    await one.says("configuration reloaded")
    expect((await get(`http://127.0.0.1:${cursed}/`)).body).toBe("second")
    expect((await get(`http://127.0.0.1:${cursed}/`)).body).toBe("second")
  })

  it("the end is the end of both: what each has begun is finished first", async () => {
    const waiting: Array<http.ServerResponse> = []
    const backend = http.createServer((_, response) => void waiting.push(response))
    await new Promise<void>((resolve) => backend.listen({ host: "127.0.0.1", port: 0 }, resolve))
    const port = await freePort()
    const text = `
gateways: {default: {port: ${port}}}
routes: [{backends: [{host: "127.0.0.1:${(backend.address() as net.AddressInfo).port}"}]}]
`
    const one = await start({ args: ["-c", text], env: { CONNECTION_TERMINATION_DEADLINE: "20s" } })
    await both(port)
    const bodies = askMany(port)
    await until(() => waiting.length === 40)
    expect(times(one.error, "accepted by a worker\n")).toBeGreaterThan(0)
    one.kill("SIGTERM")
    await until(() => listening(port) === 0)
    for (const response of waiting) response.end("finished")
    expect(new Set(await bodies)).toEqual(new Set(["finished"]))
    expect(await one.ended).toBe(0)
    expect(times(one.error, "thread began")).toBe(times(one.error, "thread ended"))
    backend.close()
    backend.closeAllConnections()
  })

  it("a TLS session begun with one is resumed by the other", async () => {
    const port = await freePort()
    const sealed = `, tls: {cert: ${certificates}server.pem, key: ${certificates}server.key}`
    const one = await start({ args: ["-c", answering(port, "x", sealed)] })
    await both(port)
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const connect = (session?: Buffer): Promise<{ readonly reused: boolean; readonly session: Buffer }> =>
        new Promise((resolve, reject) => {
          const socket = tls.connect({
            port,
            host: "127.0.0.1",
            servername: "a.example",
            rejectUnauthorized: false,
            maxVersion: version,
            minVersion: version,
            ...(session === undefined ? {} : { session }),
          })
          let last = session
          let reused = false
          socket.on("session", (next) => (last = next))
          socket.on("error", reject)
          socket.once("secureConnect", () => {
            reused = socket.isSessionReused()
            socket.write("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n")
          })
          socket.on("close", () =>
            last === undefined ? reject(new Error("no session was offered")) : resolve({ reused, session: last }),
          )
          socket.resume()
        })
      const workersBefore = times(one.error, "accepted by a worker\n")
      const mainBefore = times(one.error, "accepted by the main thread\n")
      const { session } = await connect()
      const resumed = await Promise.all(Array.from({ length: 30 }, () => connect(session)))
      expect(resumed.filter(({ reused }) => reused)).toHaveLength(30)
      expect(times(one.error, "accepted by a worker\n")).toBeGreaterThan(workersBefore)
      expect(times(one.error, "accepted by the main thread\n")).toBeGreaterThan(mainBefore)
    }
  })
})

describe("one worker", () => {
  it("is the main thread alone, on a port that is nobody else's", async () => {
    const port = await freePort()
    const one = await start({ args: ["-c", answering(port, "x")], workers: 1 })
    expect((await get(`http://127.0.0.1:${port}/`)).body).toBe("x")
    expect(one.out).not.toContain("cores")
    expect(times(one.error, "thread began")).toBe(0)
    const intruder = net.createServer()
    const refused = await new Promise<string>((resolve) => {
      intruder.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""))
      intruder.listen({ port, host: "::", reusePort: true }, () => resolve("listens"))
    })
    intruder.close()
    expect(refused).toBe("EADDRINUSE")
    expect(await one.stop()).toBe(0)
  })
})
