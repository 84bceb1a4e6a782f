import * as fs from "node:fs"
import { type ChildProcess, spawn } from "node:child_process"
import * as http from "node:http"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { command, get, makeDirectory, Standalone, until, type Words } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const manifest = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}
const directory = makeDirectory()
const running = new Set<Standalone>()

afterEach(async () => {
  for (const one of running) {
    one.kill("SIGKILL")
    await one.ended
  }
  running.clear()
})
afterAll(() => fs.rmSync(directory, { recursive: true }))

const start = (words: Words): Standalone => {
  const one = new Standalone(words)
  running.add(one)
  return one
}

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

const ended = (child: ChildProcess): Promise<{ readonly error: string }> =>
  new Promise((resolve) => {
    let error = ""
    child.stderr?.on("data", (text: Buffer) => void (error += text.toString()))
    child.once("close", () => resolve({ error }))
  })

const file = (name: string, text: string): string => {
  const full = path.join(directory, name)
  fs.writeFileSync(full, text)
  return full
}

const answering = (port: number, body: string): string => `
gateways:
  default: {port: ${port}}
routes:
  - policies:
      directResponse: {status: 200, body: ${JSON.stringify(body)}}
`

const mistaken = `
gateways:
  default: {port: 70000}
routes:
  - matches: [{path: {pathPrefx: /}}]
    backends: [{host: "a:80"}]
`

describe("what the command line says about itself", () => {
  it("--version says what runs, -V only its number, and --help how to use it", async () => {
    const [long, short, help] = await Promise.all([command(["--version"]), command(["-V"]), command(["--help"])])
    expect(long).toMatchObject({ code: 0, error: "" })
    expect(long.out).toBe(`sluice ${manifest.version} (node ${process.version}, ${process.platform}-${process.arch})\n`)
    expect(short).toEqual({ code: 0, out: `${manifest.version}\n`, error: "" })
    expect(help).toMatchObject({ code: 0, error: "" })
    for (const word of ["validate", "explain", "--file", "--config", "--validate-only"])
      expect(help.out).toContain(word)
  })

  it("what it does not know ends with 2, a line about what is wrong, and where to look", async () => {
    const [flag, word, both, nothing] = await Promise.all([
      command(["--prot", "1"]),
      command(["server"]),
      command(["-c", "{}", "-f", "x.yaml"]),
      command(["-f"]),
    ])
    expect(flag).toEqual({ code: 2, out: "", error: "sluice: Unknown option '--prot'\nTry sluice --help.\n" })
    expect(word.code).toBe(2)
    expect(word.error).toContain(
      'unknown command "server"; the commands are validate, explain, cel, keys, init, doctor, status, logs, lock, connect, import, help',
    )
    expect(both).toMatchObject({ code: 2, out: "" })
    expect(both.error).toContain("only one of --config or --file")
    expect(nothing.code).toBe(2)
  })

  it("a reader that has gone does not make it fail", async () => {
    const one = start({ args: ["--help"] })
    one.child.stdout?.destroy()
    expect(await one.ended).toBe(0)
    expect(one.error).toBe("")
  })
})

describe("what the system does not give", () => {
  it("is said in a line, and what to do about it", async () => {
    const taken = net.createServer().listen(0)
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as AddressInfo
    const absent = new Standalone({ args: ["-c", answering(port, "x")], env: { ADMIN_ADDR: "192.0.2.1:1" } })
    // Few enough files for Node to start with, and none for more; the port makes an end where there are enough.
    const limits = [23, 24, 25, 26, 28]
    const few = await Promise.all(
      limits.map((limit) => {
        const words = ["-c", `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, main, "-c", answering(port, "x")]
        return ended(spawn("sh", words, { env: { ...process.env, WORKER_THREADS: "1", ADMIN_ADDR: "off" } }))
      }),
    )
    taken.close()
    await absent.ended
    expect(absent.error).toContain("Give this machine the address, or set `config.adminAddr`")
    for (const { error } of few) expect(error).not.toContain("Unhandled")
  })
})

describe("a change that came while no file could be opened", () => {
  it("is read as soon as one can, and what served before serves until then", async () => {
    const port = await freePort()
    const name = file("limited.yaml", answering(port, "one"))
    const words = ["-c", 'ulimit -n 64; exec "$0" "$@"', process.execPath, main, "-f", name]
    const own = { WORKER_THREADS: "1", ADMIN_ADDR: "off", STATS_ADDR: "off", READINESS_ADDR: "off" }
    const child = spawn("sh", words, { env: { ...process.env, ...own } })
    const closed = new Promise((resolve) => child.once("close", resolve))
    let out = ""
    child.stdout.on("data", (text: Buffer) => void (out += text.toString()))
    const said = async (): Promise<string> =>
      (await get(`http://127.0.0.1:${port}/`).catch(() => undefined))?.body ?? ""
    try {
      await until(() => out.includes("is serving"))
      let refused = 0
      const held = Array.from({ length: 100 }, () =>
        net
          .connect(port, "127.0.0.1")
          .on("error", () => {})
          .once("close", () => refused++),
      )
      await until(() => refused > 0)
      fs.writeFileSync(name, answering(port, "two"))
      await until(() => out.includes("the configuration could not be read"))
      for (const one of held) one.destroy()
      await until(async () => (await said()) === "two")
      expect(child.exitCode).toBeNull()
    } finally {
      child.kill()
      await closed
    }
  })
})

describe("validate", () => {
  it("says every error at once, each with its place", async () => {
    const name = file("mistaken.yaml", mistaken)
    const found = await command(["validate", name])
    expect(found).toMatchObject({ code: 1, out: "" })
    expect(found.error).toContain(`${name}:3:19 gateways.default.port: `)
    expect(found.error).toContain(`${name}:5:`)
    expect(found.error).toContain("pathPrefx")
    expect(found.error).toMatch(/\n2 errors, 0 warnings\n$/)
  })

  it("--json says the same to a program", async () => {
    const name = file("mistaken.yaml", mistaken)
    const found = await command(["validate", name, "--json"])
    expect(found).toMatchObject({ code: 1, error: "" })
    expect(JSON.parse(found.out)).toMatchObject([
      { file: name, severity: "error", line: 3, column: 19, path: "gateways.default.port" },
      { file: name, severity: "error", line: 5 },
    ])
  })

  it("a file that is not UTF-8 is refused where it is not: it would be read as something else", async () => {
    const latin = file("latin.yaml", "")
    const wide = file("wide.yaml", "")
    const bytes = Buffer.from(answering(4999, "caf\xe9"), "latin1")
    fs.writeFileSync(latin, bytes)
    fs.writeFileSync(wide, Buffer.from(`\uFEFF${answering(4999, "x")}`, "utf16le"))
    const [read, piped, served, windows] = await Promise.all([
      command(["validate", latin]),
      command(["validate", "-"], { input: bytes }),
      command(["-f", "-"], { input: bytes }),
      command(["validate", wide]),
    ])
    const said = ":6:47: this character is not UTF-8. Save the file as UTF-8.\n"
    expect(read).toMatchObject({ code: 1, out: "", error: `${latin}${said}1 error, 0 warnings\n` })
    expect(piped.error).toBe(`-${said}1 error, 0 warnings\n`)
    expect(served).toMatchObject({ code: 1, error: `sluice: <stdin>${said}` })
    expect(windows.error).toContain(`${wide}:1:1: the file is written in UTF-16. Save the file as UTF-8.\n`)
  })

  it("what is right ends with 0; a file that is not there is one more error", async () => {
    const [right, fromInput, only, absent] = await Promise.all([
      command(["validate", file("right.yaml", answering(4999, "x"))]),
      command(["validate", "-"], { input: answering(4999, "x") }),
      command(["--validate-only", "-c", answering(4999, "x")]),
      command(["validate", path.join(directory, "absent.yaml")]),
    ])
    expect(right).toEqual({
      code: 0,
      out: "Configuration is valid! (1 bind, 1 listener, 1 route, 0 backends)\n",
      error: "",
    })
    expect(fromInput).toEqual(right)
    expect(only).toEqual(right)
    expect(absent.code).toBe(1)
    expect(absent.error).toContain("the file cannot be read: there is no such file")
  })

  it("--validate-only without a configuration says that there is none", async () => {
    const found = await command(["--validate-only"])
    expect(found.code).toBe(0)
    expect(found.out).toMatch(/^No local configuration\nConfiguration is valid!/)
  })
})

describe("cel", () => {
  it("evaluates with the variables of a file, and tells the type and what it needs", async () => {
    const context = file("context.yaml", "request: {method: GET, headers: {x-team: [a, b]}}\njwt: {role: admin}\n")
    const [good, fails, wrong, misplaced] = await Promise.all([
      command(["cel", 'jwt.role == "admin" && "a" in request.headers.raw()["x-team"]', "--context", context]),
      command(["cel", "jwt.nothing", "--context", context]),
      command(["cel", "true &&\n  nope"]),
      command(["cel", "response.code == 200", "--place", "route"]),
    ])
    expect(good).toEqual({ code: 0, out: "value: true\ntype:  bool\nneeds: jwt, request\n", error: "" })
    expect(fails).toMatchObject({ code: 1, out: expect.stringContaining("error: no such key: nothing") })
    expect(wrong).toMatchObject({
      code: 1,
      out: "",
      error: expect.stringMatching(/^2:3: .*nope.*\n {4}nope\n {4}\^\n$/),
    })
    expect(misplaced).toMatchObject({ code: 1, error: expect.stringMatching(/^1:1: .*response/) })
  })
})

describe("explain and init", () => {
  it("explain answers from a file, and refuses a request that is none", async () => {
    const name = file("explained.yaml", answering(4999, "x"))
    const [text, json, bad] = await Promise.all([
      command(["explain", name, "--request", "GET http://a.example:4999/x"]),
      command(["explain", name, "-r", "http://a.example/x", "--json"]),
      command(["explain", name, "-r", "GET a.example/x"]),
    ])
    expect(text).toMatchObject({ code: 0, error: "" })
    expect(text.out).toContain("answered by directResponse")
    expect(JSON.parse(json.out)).toMatchObject([{ routes: [{ key: "gateway/default/default/route0" }] }])
    expect(bad).toMatchObject({ code: 2, out: "" })
  })

  it("init writes a configuration that is valid, and never over another", async () => {
    const name = path.join(directory, "first.yaml")
    expect(await command(["init", name])).toMatchObject({ code: 0, error: "" })
    const text = fs.readFileSync(name, "utf8")
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? ""
    expect(JSON.parse(fs.readFileSync(schema, "utf8"))).toHaveProperty("properties.gateways")
    expect(await command(["validate", name])).toMatchObject({ code: 0, error: "" })
    fs.writeFileSync(name, "mine")
    expect(await command(["init", name])).toMatchObject({ code: 1 })
    expect(fs.readFileSync(name, "utf8")).toBe("mine")
  })
})

describe("where the configuration comes from", () => {
  it("text, file, standard input, or the environment", async () => {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const
    const fromFile = file("serve.yaml", answering(ports[1], "file"))
    const fromEnv = file("env.yaml", answering(ports[3], "environment"))
    await Promise.all([
      start({ args: ["-c", answering(ports[0], "text")] }).serving(),
      start({ args: ["-f", fromFile] }).serving(),
      start({ args: ["-f", "-"], input: answering(ports[2], "input") }).serving(),
      start({ env: { LOCAL_XDS_PATH: fromEnv, KUBERNETES_SERVICE_HOST: "10.0.0.1" } }).serving(),
    ])
    const bodies = await Promise.all(ports.map(async (port) => (await get(`http://127.0.0.1:${port}/`)).body))
    expect(bodies).toEqual(["text", "file", "input", "environment"])
  })

  it("without any, the embedded example answers, whatever it is asked, and says how to try it", async () => {
    const port = await freePort()
    const one = await start({ env: { SLUICE_PORT: String(port) } }).serving()
    expect(one.out).toContain(`curl http://localhost:${port}/`)
    const base = `http://127.0.0.1:${port}`
    const sample = await get(`${base}/hello`)
    expect(sample.status).toBe(200)
    expect(JSON.parse(sample.body)).toMatchObject({ service: "sluice sample", path: "/hello" })
    expect((await get(`${base}//`)).status).toBe(200)
    expect((await get(`${base}/status/418`)).status).toBe(418)
    expect((await get(`${base}/status/204`)).status).toBe(204)
    expect((await get(`${base}/events?count=2`)).body).toContain('"event":2')
    expect(await one.stop()).toBe(0)
  })

  it("in Kubernetes there is no example; and two sources at once are one too many", async () => {
    const [cluster, two] = await Promise.all([
      command([], { env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } }),
      command(["-f", "a.yaml"], { env: { LOCAL_XDS_PATH: "b.yaml" } }),
    ])
    expect(cluster).toMatchObject({ code: 1, out: "" })
    expect(cluster.error).toContain("a configuration is required in Kubernetes")
    expect(two).toMatchObject({ code: 1, out: "" })
    expect(two.error).toContain("both --file and LOCAL_XDS_PATH")
  })

  it("a configuration that cannot be used is not served, and all that is wrong with it is said", async () => {
    const name = file("mistaken.yaml", mistaken)
    const found = await command(["-f", name])
    expect(found).toMatchObject({ code: 1, out: "" })
    expect(found.error.trim().split("\n")).toHaveLength(2)
    expect(found.error).toContain(`${name}:3:19 gateways.default.port: `)
    const setting = await command(["-c", "{}"], { env: { ADMIN_ADDR: "nowhere" } })
    expect(setting.code).toBe(1)
    expect(setting.error).toContain("invalid env var ADMIN_ADDR=nowhere")
  })
})

describe("ports that are taken", () => {
  let taken: net.Server
  let port: number
  beforeAll(async () => {
    port = await freePort()
    taken = net.createServer().listen({ port, host: "::" })
    await new Promise((resolve) => taken.once("listening", resolve))
  })
  afterAll(() => void taken.close())

  it("a port of the configuration: the start fails and says which", async () => {
    for (const workers of ["1", "2"]) {
      const found = await command(["-c", answering(port, "x")], { env: { WORKER_THREADS: workers } })
      expect(found).toMatchObject({ code: 1, out: "" })
      expect(found.error).toContain(`bind bind/${port}: cannot listen on *:${port}: `)
      expect(found.error).toContain("Free the address, or choose another.")
    }
    const embedded = await command([], { env: { SLUICE_PORT: String(port) } })
    expect(embedded.code).toBe(1)
    expect(embedded.error).toContain("SLUICE_PORT sets the port of the embedded example.")
  })

  it("a port of the gateway's own: the same, with the setting that changes it", async () => {
    const found = await command(["-c", answering(await freePort(), "x")], { env: { ADMIN_ADDR: `[::]:${port}` } })
    expect(found.code).toBe(1)
    expect(found.error).toContain("config.adminAddr")
    expect(found.error).toContain("ADMIN_ADDR")
  })

  it("another gateway with several workers does not share its ports by accident", async () => {
    const shared = await freePort()
    await start({ args: ["-c", answering(shared, "first")], env: { WORKER_THREADS: "2" } }).serving()
    const second = await command(["-c", answering(shared, "second")], { env: { WORKER_THREADS: "2" } })
    expect(second.code).toBe(1)
    expect(second.error).toContain(`cannot listen on *:${shared}`)
  })
})

describe("the end", () => {
  /** A backend that answers only when told to. */
  const slowly = async () => {
    const waiting: Array<http.ServerResponse> = []
    const server = http.createServer((_, response) => void waiting.push(response))
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve))
    return { server, waiting, port: (server.address() as AddressInfo).port }
  }
  const proxying = (port: number, to: number): string => `
gateways: {default: {port: ${port}}}
routes: [{backends: [{host: "127.0.0.1:${to}"}]}]
`

  it("SIGTERM: readiness falls, no new connections, what was begun is finished, then 0", async () => {
    const backend = await slowly()
    const port = await freePort()
    const one = await start({
      args: ["-c", proxying(port, backend.port)],
      env: { CONNECTION_TERMINATION_DEADLINE: "20s" },
    }).serving()
    expect((await one.readiness()).status).toBe(200)
    const last = get(`http://127.0.0.1:${port}/`)
    await until(() => backend.waiting.length === 1)
    one.kill("SIGTERM")
    await until(async () => (await one.readiness()).status === 500)
    await until(() =>
      get(`http://127.0.0.1:${port}/`).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
      ),
    )
    backend.waiting[0]?.end("finished")
    expect((await last).body).toBe("finished")
    expect(await one.ended).toBe(0)
    backend.server.close()
  })

  it("what does not finish in time is cut off, and the code is still 0", async () => {
    const backend = await slowly()
    const port = await freePort()
    const one = await start({
      args: ["-c", proxying(port, backend.port)],
      env: { CONNECTION_TERMINATION_DEADLINE: "200ms" },
    }).serving()
    const last = get(`http://127.0.0.1:${port}/`).then(
      () => "answered",
      () => "cut",
    )
    await until(() => backend.waiting.length === 1)
    expect(await one.stop()).toBe(0)
    expect(await last).toBe("cut")
    backend.server.close()
    backend.server.closeAllConnections()
  })

  it("a second SIGINT ends it at once", async () => {
    const backend = await slowly()
    const port = await freePort()
    const one = await start({
      args: ["-c", proxying(port, backend.port)],
      env: { CONNECTION_TERMINATION_DEADLINE: "60s" },
    }).serving()
    const last = get(`http://127.0.0.1:${port}/`).catch(() => "cut")
    await until(() => backend.waiting.length === 1)
    one.kill("SIGINT")
    // As npm and the terminal both tell of one Ctrl-C.
    one.kill("SIGINT")
    await until(async () => (await one.readiness()).status === 500)
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect((await one.readiness()).status).toBe(500)
    one.kill("SIGINT")
    expect(await one.ended).toBe(130)
    expect(await last).toBe("cut")
    backend.server.close()
    backend.server.closeAllConnections()
  })

  it("a log that nobody reads any more does not end the gateway", async () => {
    const port = await freePort()
    const one = await start({ args: ["-c", answering(port, "x")] }).serving()
    one.child.stdout?.destroy()
    for (let i = 0; i < 50; i++) expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200)
    await until(async () => (await one.metric("log_lines_dropped_total")) > 0)
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(200)
    expect(await one.stop()).toBe(0)
  })

  it("a log that nobody reads for a while holds up nobody: lines are dropped and counted, then it goes on", async () => {
    const port = await freePort()
    const one = await start({ args: ["-c", answering(port, "x")] }).serving()
    one.child.stdout?.pause()
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
    const ask = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        // A long path, so that there is soon more than may wait.
        http
          .get({ agent, host: "127.0.0.1", port, path: `/${"long".repeat(2_000)}` }, (reply) => {
            reply.resume().once("end", () => resolve(reply.statusCode))
          })
          .once("error", reject)
      })
    const lane = async (): Promise<void> => {
      for (let i = 0; i < 400; i++) expect(await ask()).toBe(200)
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    agent.destroy()
    const dropped = await one.metric("log_lines_dropped_total")
    expect(dropped).toBeGreaterThan(0)
    expect(await one.metric("queue_size", 'queue="log lines"')).toBeLessThanOrEqual(11_000)
    one.child.stdout?.resume()
    await until(async () => (await one.metric("queue_size", 'queue="log lines"')) < 10)
    await get(`http://127.0.0.1:${port}/afterwards`)
    await one.says("http.path=/afterwards")
    expect(one.out.split("\n").filter((line) => line.includes("longlong")).length + dropped).toBe(3_200)
    expect(await one.stop()).toBe(0)
  }, 60_000)

  it("with JSON in the log, every line is JSON from the first on", async () => {
    const port = await freePort()
    const one = start({ args: ["-c", answering(port, "x")], env: { LOG_FORMAT: "json" } })
    await one.says('"message":"serving"')
    await get(`http://127.0.0.1:${port}/`)
    await one.says('"scope":"request"')
    expect(await one.stop()).toBe(0)
    const lines = one.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ message: "serving", listeners: [`http://localhost:${port}`] })
  })
})
