import * as fs from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as path from "node:path"
import * as tls from "node:tls"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest"
import { debounceMillis } from "../../src/config/watch.ts"
import { get, makeDirectory, Standalone, until } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const certificates = fileURLToPath(new URL("certificates/", import.meta.url))
const root = makeDirectory()
const running = new Set<Standalone>()
let directory = ""
let count = 0

beforeEach(() => {
  directory = path.join(root, String(++count))
  fs.mkdirSync(directory)
})
afterEach(async () => {
  for (const one of running) {
    one.kill("SIGKILL")
    await one.ended
  }
  running.clear()
})
afterAll(() => fs.rmSync(root, { recursive: true }))

const answering = (port: number, body: string): string => `
gateways:
  default: {port: ${port}}
routes:
  - policies:
      directResponse: {status: 200, body: ${JSON.stringify(body)}}
`

const serve = (file: string): Promise<Standalone> => {
  const one = new Standalone({ args: ["-f", file] })
  running.add(one)
  return one.serving()
}

const body = async (port: number): Promise<string> => (await get(`http://127.0.0.1:${port}/`)).body

const answers = (port: number, text: string): Promise<void> =>
  until(
    async () => (await body(port).catch(() => "")) === text,
    () => `port ${port} never said ${text}`,
  )

/** As an editor saves: a new file takes the place of the old one. */
const replace = (file: string, text: string): void => {
  fs.writeFileSync(`${file}.new`, text)
  fs.renameSync(`${file}.new`, file)
}

const reloads = (one: Standalone): number => one.out.split("configuration reloaded").length - 1

describe("a gateway that has only relayed", () => {
  it("speaks to models, tools and agents as soon as its configuration does", async () => {
    const [port, models, tools] = [await freePort(), await freePort(), await freePort()]
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "plain"))
    await serve(file)
    expect(await body(port)).toBe("plain")
    replace(
      file,
      `${answering(port, "spoken")}
llm: {port: ${models}, models: [{name: m, provider: echo}]}
mcp: {port: ${tools}, targets: [{name: gone, mcp: {host: "http://127.0.0.1:1/mcp"}}]}
`,
    )
    await answers(port, "spoken")
    const told = await fetch(`http://127.0.0.1:${models}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] }),
    })
    expect(await told.json()).toMatchObject({ choices: [{ message: { role: "assistant" } }] })
    const asked = await fetch(`http://127.0.0.1:${tools}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "c", version: "1" } },
      }),
    })
    expect(await asked.text()).toContain('"jsonrpc":"2.0"')
  })
})

describe("however a file changes, the change is seen", () => {
  it("written in place, replaced by another, deleted and made again", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await serve(file)
    expect(await body(port)).toBe("first")
    fs.writeFileSync(file, answering(port, "written"))
    await answers(port, "written")
    replace(file, answering(port, "replaced"))
    await answers(port, "replaced")
    replace(file, answering(port, "replaced again"))
    await answers(port, "replaced again")
    fs.rmSync(file)
    await one.says("the file cannot be read: there is no such file")
    expect(await body(port)).toBe("replaced again")
    fs.writeFileSync(file, answering(port, "made again"))
    await answers(port, "made again")
    fs.rmSync(directory, { recursive: true })
    fs.mkdirSync(directory)
    fs.writeFileSync(file, answering(port, "in a directory made again"))
    await answers(port, "in a directory made again")
    fs.writeFileSync(file, answering(port, "and written there"))
    await answers(port, "and written there")
  })

  it("Kubernetes switches a symlink two directories above it", async () => {
    const port = await freePort()
    const version = (name: string, text: string): void => {
      fs.mkdirSync(path.join(directory, name))
      fs.writeFileSync(path.join(directory, name, "config.yaml"), answering(port, text))
      fs.symlinkSync(name, path.join(directory, "..data_new"))
      fs.renameSync(path.join(directory, "..data_new"), path.join(directory, "..data"))
    }
    version("..2026_1", "first")
    fs.symlinkSync("..data/config.yaml", path.join(directory, "config.yaml"))
    await serve(path.join(directory, "config.yaml"))
    expect(await body(port)).toBe("first")
    version("..2026_2", "second")
    fs.rmSync(path.join(directory, "..2026_1"), { recursive: true })
    await answers(port, "second")
    version("..2026_3", "third")
    await answers(port, "third")
  })

  it("a change between the first reading and the first look is not missed", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = new Standalone({ args: ["-f", file] })
    running.add(one)
    await one.says("sluice is serving")
    fs.writeFileSync(file, answering(port, "second"))
    await answers(port, "second")
  })

  it("several writes in a row are one change, and a busy directory does not put it off", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await serve(file)
    for (let i = 0; i < 20; i++) fs.writeFileSync(file, answering(port, `write ${i}`))
    await answers(port, "write 19")
    await until(() => reloads(one) > 0)
    const noise = setInterval(() => fs.writeFileSync(path.join(directory, "noise"), String(Math.random())), 50)
    fs.writeFileSync(file, answering(port, "through the noise"))
    await answers(port, "through the noise")
    clearInterval(noise)
    // A stray reload would have come within two of these.
    await new Promise((resolve) => setTimeout(resolve, 2 * debounceMillis))
    // A machine that is busy elsewhere may cut a burst in two or three, but never into its writes.
    expect(reloads(one)).toBeLessThanOrEqual(6)
  })

  it("touched but not changed, it is read again without harm to anybody", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "first"))
    const one = await serve(file)
    fs.utimesSync(file, new Date(), new Date())
    await until(() => reloads(one) === 1)
    expect(await body(port)).toBe("first")
  })
})

describe("a change that cannot be used", () => {
  it("leaves everything as it was, and says so in the log, in the metrics and to the administrator", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "good"))
    const one = await serve(file)
    expect(await one.metric("config_synchronized")).toBe(1)

    const taken = net.createServer()
    const takenPort = await freePort()
    await new Promise<void>((resolve) => taken.listen({ port: takenPort, host: "::" }, resolve))
    const freed = await freePort()
    const bad: ReadonlyArray<readonly [text: string, said: string]> = [
      ["gateways: [", `${file}:1:`],
      ["", "there is nothing in it"],
      [answering(port, "bad").replace("routes:", "rooutes:"), "rooutes"],
      [answering(port, "bad").replace(`port: ${port}`, "port: 70000"), "gateways.default.port"],
      // One port is free and one is taken: neither is opened, though the first could be.
      [
        `gateways: {default: {port: ${freed}}, other: {port: ${takenPort}}}\nroutes: [{gateways: [default], policies: {directResponse: {status: 200}}}]\n`,
        `cannot listen on *:${takenPort}`,
      ],
    ]
    for (const [text, said] of bad) {
      const before = one.out.length
      fs.writeFileSync(file, text)
      await until(
        () => one.out.slice(before).includes("Failed to reload config: "),
        () => `${said} was never said`,
      )
      expect(one.out.slice(before)).toContain(said)
      expect(one.out.slice(before)).toMatch(/\terror\t/)
      expect(await body(port)).toBe("good")
      expect(await one.metric("config_synchronized")).toBe(0)
      const { problems, version } = await one.dump()
      expect(problems.join("\n")).toContain(said)
      expect(version).toBe(1)
      expect((await one.readiness()).status).toBe(200)
      await expect(body(freed)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    }

    taken.close()
    // What was wrong with the last one is right now, but only a change is a reason to look again.
    fs.writeFileSync(file, answering(port, "good again"))
    await answers(port, "good again")
    expect(await one.metric("config_synchronized")).toBe(1)
    expect(await one.dump()).toMatchObject({ version: 2, problems: [] })
  })

  it("is tried again when a hang-up says so: what stood in its way may be gone", async () => {
    const port = await freePort()
    const taken = net.createServer()
    const takenPort = await freePort()
    await new Promise<void>((resolve) => taken.listen({ port: takenPort, host: "::" }, resolve))
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(file, answering(port, "one"))
    const one = await serve(file)
    fs.writeFileSync(file, answering(takenPort, "two"))
    await one.says("Failed to reload config: ")
    await new Promise((resolve) => taken.close(resolve))
    one.kill("SIGHUP")
    await answers(takenPort, "two")
    expect(await one.stop()).toBe(0)
  })

  it("what refers to a file that is not there yet is used as soon as the file is", async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    const [cert, key] = [path.join(directory, "tls.crt"), path.join(directory, "tls.key")]
    fs.writeFileSync(file, answering(port, "plain"))
    const one = await serve(file)
    fs.writeFileSync(
      file,
      answering(port, "sealed").replace(`{port: ${port}}`, `{port: ${port}, tls: {cert: ${cert}, key: ${key}}}`),
    )
    await one.says("there is no such file")
    expect(await body(port)).toBe("plain")
    fs.copyFileSync(path.join(certificates, "server.key"), key)
    fs.copyFileSync(path.join(certificates, "server.pem"), cert)
    await until(async () => (await peerOf(port)).length > 0)
  })
})

/** The certificate a server shows, by its fingerprint; empty where there is no TLS. */
const peerOf = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, servername: "a.example" }, () => {
      resolve(socket.getPeerCertificate().fingerprint256 ?? "")
      socket.destroy()
    })
    socket.on("error", () => resolve(""))
  })

/** A connection that is kept, and how it fares. */
class Kept {
  readonly agent: http.Agent
  readonly port: number
  readonly secure: boolean
  constructor(port: number, secure = false) {
    this.port = port
    this.secure = secure
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    if (secure) {
      this.agent.createConnection = (() =>
        tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, servername: "a.example" })) as never
    }
  }
  get isOpen(): boolean {
    return Object.values(this.agent.freeSockets).some((sockets) => (sockets?.length ?? 0) > 0)
  }
  /** What is said, and whether over a connection that was there before. */
  async ask(): Promise<{ readonly body: string; readonly reused: boolean }> {
    return new Promise((resolve, reject) => {
      const request = http.request({ port: this.port, host: "127.0.0.1", agent: this.agent }, (response) => {
        let body = ""
        response.on("data", (bytes: Buffer) => (body += bytes.toString()))
        response.on("end", () => resolve({ body, reused: request.reusedSocket }))
      })
      request.on("error", reject)
      request.end()
    })
  }
}

describe("sockets and connections during a change", () => {
  const two = (ports: ReadonlyArray<readonly [name: string, port: number]>, say: string): string =>
    [
      "gateways:",
      ...ports.map(([name, port]) => `  ${name}: {port: ${port}}`),
      "routes:",
      ...ports.map(
        ([name]) => `  - {gateways: [${name}], policies: {directResponse: {status: 200, body: "${name} ${say}"}}}`,
      ),
    ].join("\n")

  it("ports come, go and change hands while connections to the others stay", async () => {
    const [a, b, c] = [await freePort(), await freePort(), await freePort()]
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(
      file,
      two(
        [
          ["one", a],
          ["two", b],
        ],
        "1",
      ),
    )
    const one = await serve(file)
    const [toA, toB] = [new Kept(a), new Kept(b)]
    expect(await toA.ask()).toEqual({ body: "one 1", reused: false })
    expect(await toB.ask()).toEqual({ body: "two 1", reused: false })

    fs.writeFileSync(
      file,
      two(
        [
          ["one", a],
          ["two", b],
          ["three", c],
        ],
        "2",
      ),
    )
    await answers(c, "three 2")
    expect(await toA.ask()).toEqual({ body: "one 2", reused: true })
    expect(await toB.ask()).toEqual({ body: "two 2", reused: true })

    fs.writeFileSync(
      file,
      two(
        [
          ["one", a],
          ["three", c],
        ],
        "3",
      ),
    )
    await answers(c, "three 3")
    await expect(body(b)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    expect(await toA.ask()).toEqual({ body: "one 3", reused: true })

    // The port of one gateway becomes that of another, and the other way round.
    fs.writeFileSync(
      file,
      two(
        [
          ["one", c],
          ["three", a],
        ],
        "4",
      ),
    )
    await answers(c, "one 4")
    expect(await toA.ask()).toEqual({ body: "three 4", reused: true })
    expect(await one.stop()).toBe(0)
  })

  it("another certificate drains the connections of its listener, and nobody else's", async () => {
    const [a, b, plain] = [await freePort(), await freePort(), await freePort()]
    const file = path.join(directory, "config.yaml")
    const files = (name: string) => ({
      cert: path.join(directory, `${name}.crt`),
      key: path.join(directory, `${name}.key`),
    })
    const install = (name: string, certificate: string): void => {
      // The key first: the certificate alone would not fit the old one, and both are one change.
      fs.copyFileSync(path.join(certificates, `${certificate}.key`), files(name).key)
      fs.copyFileSync(path.join(certificates, `${certificate}.pem`), files(name).cert)
    }
    install("a", "server")
    install("b", "server")
    const text = (say: string): string => `
gateways:
  a: {port: ${a}, tls: {cert: ${files("a").cert}, key: ${files("a").key}}}
  b: {port: ${b}, tls: {cert: ${files("b").cert}, key: ${files("b").key}}}
  plain: {port: ${plain}}
routes:
  - {gateways: [a, b, plain], policies: {directResponse: {status: 200, body: "${say}"}}}
`
    fs.writeFileSync(file, text("1"))
    const one = await serve(file)
    const kept = [new Kept(a, true), new Kept(b, true), new Kept(plain)] as const
    for (const each of kept) expect(await each.ask()).toEqual({ body: "1", reused: false })
    const before = await peerOf(a)

    // Routes change, certificates do not: every connection stays.
    fs.writeFileSync(file, text("2"))
    await answers(plain, "2")
    for (const each of kept) expect(await each.ask()).toEqual({ body: "2", reused: true })

    install("a", "wildcard")
    await until(async () => (await peerOf(a)) !== before)
    await until(() => !kept[0].isOpen)
    expect(await kept[0].ask()).toEqual({ body: "2", reused: false })
    expect(await kept[1].ask()).toEqual({ body: "2", reused: true })
    expect(await kept[2].ask()).toEqual({ body: "2", reused: true })
    expect(await peerOf(b)).toBe(before)
    expect(await one.stop()).toBe(0)
  })
})

describe("a certificate that is renewed", () => {
  it("where Kubernetes keeps secrets: new clients see it, and nothing that is under way is broken off", async () => {
    const [port, upstreamPort] = [await freePort(), await freePort()]
    const held: Array<http.ServerResponse> = []
    const upstream = http.createServer((request, response) => {
      request.resume()
      response.write("begun ")
      held.push(response)
    })
    await new Promise<void>((resolve) => upstream.listen(upstreamPort, "127.0.0.1", resolve))
    const secret = path.join(directory, "secret")
    fs.mkdirSync(secret)
    const publish = (version: string, certificate: string): void => {
      fs.mkdirSync(path.join(secret, version))
      for (const [name, end] of [
        ["tls.crt", "pem"],
        ["tls.key", "key"],
      ] as const) {
        fs.copyFileSync(path.join(certificates, `${certificate}.${end}`), path.join(secret, version, name))
      }
      fs.symlinkSync(version, path.join(secret, "..data_new"))
      fs.renameSync(path.join(secret, "..data_new"), path.join(secret, "..data"))
    }
    publish("..1", "server")
    for (const name of ["tls.crt", "tls.key"]) fs.symlinkSync(`..data/${name}`, path.join(secret, name))
    const file = path.join(directory, "config.yaml")
    fs.writeFileSync(
      file,
      `
gateways:
  default: {port: ${port}, tls: {cert: ${secret}/tls.crt, key: ${secret}/tls.key}}
routes:
  - backends: [{host: "127.0.0.1:${upstreamPort}", policies: {http: {version: HTTP/1.1}}}]
`,
    )
    const one = await serve(file)
    const before = await peerOf(port)

    const overHttp1 = new Kept(port, true).ask()
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, servername: "a.example" })
    const stream = session.request({ ":path": "/" })
    const upload = session.request({ ":path": "/", ":method": "POST" })
    const bodyOf = async (from: http2.ClientHttp2Stream): Promise<string> => {
      let text = ""
      for await (const chunk of from) text += String(chunk)
      return text
    }
    const overHttp2 = Promise.all([bodyOf(stream), bodyOf(upload)])
    upload.write("a")
    await until(() => held.length === 3)

    publish("..2", "wildcard")
    fs.rmSync(path.join(secret, "..1"), { recursive: true })
    await until(async () => (await peerOf(port)) !== before)
    publish("..3", "server")
    await until(async () => (await peerOf(port)) === before)
    upload.end("b")
    for (const response of held) response.end("ended")
    expect(await overHttp1).toEqual({ body: "begun ended", reused: false })
    expect(await overHttp2).toEqual(["begun ended", "begun ended"])
    // It was told to go, and does once it has nothing more to do.
    await until(() => session.closed)
    expect(await one.stop()).toBe(0)
    upstream.close()
    upstream.closeAllConnections()
  })
})

describe("under load", () => {
  /** Each takes at least the quarter of a second in which several writes are one change. */
  const RELOADS = 20
  it(`${RELOADS} reloads lose no request, and no exchange sees two configurations`, async () => {
    const port = await freePort()
    const file = path.join(directory, "config.yaml")
    const backend = http.createServer((request, response) => {
      response.setHeader("x-asked", request.headers["x-generation"] ?? "none")
      setTimeout(() => response.end("done"), Math.random() * 20)
    })
    await new Promise<void>((resolve) => backend.listen({ port: 0, host: "127.0.0.1" }, resolve))
    const to = (backend.address() as net.AddressInfo).port
    // Decided while the request goes in, at the gateway while it comes back, and on the route: all of one generation.
    const text = (generation: number): string => `
gateways: {default: {port: ${port}}}
routes:
  - name: r${generation % 3}
    policies:
      requestHeaderModifier: {set: {x-generation: "${generation}"}}
      responseHeaderModifier: {set: {x-answered: "${generation}"}}
    backends:
      - host: 127.0.0.1:${to}
        policies:
          responseHeaderModifier: {set: {x-backend: "${generation}"}}
`
    fs.writeFileSync(file, text(0))
    const one = await serve(file)
    const seen = new Set<string>()
    const failures: Array<unknown> = []
    let asked = 0
    const load = { stopped: false }
    const client = async (): Promise<void> => {
      const kept = new http.Agent({ keepAlive: true, maxSockets: 1 })
      while (!load.stopped) {
        asked++
        try {
          const { headers, status } = await get(`http://127.0.0.1:${port}/`, { agent: kept })
          const [asking, answered, behind] = [headers["x-asked"], headers["x-answered"], headers["x-backend"]]
          if (status !== 200 || asking !== answered || asking !== behind) {
            failures.push({ status, asking, answered, behind })
          }
          seen.add(String(asking))
          // Whoever reads the configuration needs a share of the machine.
          await new Promise((resolve) => setTimeout(resolve, 5))
        } catch (error) {
          failures.push(error)
        }
      }
      kept.destroy()
    }
    const clients = Promise.all(Array.from({ length: 8 }, client))
    for (let generation = 1; generation <= RELOADS; generation++) {
      if (generation % 2 === 0) replace(file, text(generation))
      else fs.writeFileSync(file, text(generation))
      await until(
        () => seen.has(String(generation)),
        () => `generation ${generation} never served\n${one.out.slice(-2000)}`,
      )
    }
    load.stopped = true
    await clients
    expect(failures).toEqual([])
    expect(asked).toBeGreaterThan(500)
    await until(() => reloads(one) === RELOADS)
    expect(await one.stop()).toBe(0)
    backend.close()
    backend.closeAllConnections()
  }, 300_000)
})
