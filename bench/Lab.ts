/** Starts what is measured and what measures it, and leaves nothing of it behind. */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process"
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Memory } from "./collect.ts"
import { type Load, type Loaded, ReplyReader, requestOf } from "./load.ts"
import { Subject } from "./Subject.ts"
import { collecting, memoryOf, told } from "./told.ts"
import * as wrk from "./wrk.ts"

export interface Settings {
  readonly quick: boolean
  readonly loader: "wrk" | "own"
  readonly rounds: number
  readonly roundMillis: number
  readonly warmMillis: number
  readonly connections: number
}

export interface GatewayWords {
  readonly name?: string
  readonly routes?: ReadonlyArray<unknown>
  readonly accessLog?: boolean
  /** More of the section `config`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Policies of every listener. */
  readonly frontend?: Readonly<Record<string, unknown>>
  /** With it, the process answers questions about its memory. */
  readonly collects?: boolean
  readonly env?: Readonly<Record<string, string>>
}

const here = (file: string): string => join(import.meta.dirname, file)
const mainFile = here("../src/main.ts")

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })

/** One request on a connection of its own; the status, or nothing if there was no reply. */
export const once = (port: number, path = "/"): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    const finish = (status: number | undefined): void => {
      resolve(status)
      socket.destroy()
    }
    const reader = new ReplyReader(() => finish(reader.status))
    socket.on("connect", () => socket.write(requestOf({}, path)))
    socket.on("data", (chunk: Buffer) => reader.read(chunk))
    socket.once("error", () => finish(undefined))
    socket.once("close", () => finish(undefined))
  })

export class Lab {
  readonly settings: Settings
  readonly folder = mkdtempSync(join(tmpdir(), "sluice-bench-"))
  private readonly subjects = new Set<Subject>()
  private loader: ChildProcess | undefined
  private upstreamServer: Subject | undefined
  private files = 0
  private readonly onExit = (): void => this.close()

  constructor(settings: Settings) {
    this.settings = settings
    process.once("exit", this.onExit)
  }

  private own(subject: Subject): Subject {
    this.subjects.add(subject)
    return subject
  }

  private async forked(
    name: string,
    file: string,
    words: ReadonlyArray<string>,
    execArgv: ReadonlyArray<string> = [],
  ): Promise<Subject> {
    const child = fork(here(file), words, { execArgv: [...execArgv] })
    return this.own(new Subject(name, await told<number>(child, "port"), child))
  }

  /** A process that says at which port it listens. */
  run(name: string, file: string, words: ReadonlyArray<string>): Promise<Subject> {
    return this.forked(name, file, words)
  }

  async upstream(): Promise<Subject> {
    return (this.upstreamServer ??= await this.forked("upstream", "upstreamServer.ts", []))
  }

  async floor({ collects = false }: Pick<GatewayWords, "collects"> = {}): Promise<Subject> {
    return this.forked("floor", "floor.ts", [String((await this.upstream()).port)], collects ? collecting : [])
  }

  /** One that reads what it passes on. */
  async floorJson(): Promise<Subject> {
    return this.forked("floor", "floorJson.ts", [String((await this.upstream()).port)])
  }

  /** The configuration of a gateway in a file, and the port it will listen on. */
  async configuration(words: GatewayWords): Promise<{ readonly file: string; readonly port: number }> {
    const port = await freePort()
    const file = join(this.folder, `gateway-${++this.files}.yaml`)
    this.write(file, port, words.routes ?? [await this.route()], words.accessLog ?? false, words.config, words.frontend)
    return { file, port }
  }

  /** JSON is YAML, and read whole or not at all when it comes by a rename. */
  write(
    file: string,
    port: number,
    routes: ReadonlyArray<unknown>,
    accessLog = false,
    config: object = {},
    frontend: object = {},
  ): void {
    writeFileSync(
      file,
      JSON.stringify({
        config: {
          workerThreads: 1,
          adminAddr: "off",
          statsAddr: "off",
          readinessAddr: "off",
          ...config,
          logging: { level: accessLog ? "info" : "off", format: "json" },
        },
        frontendPolicies: frontend,
        binds: [{ port, listeners: [{ routes }] }],
      }),
    )
  }

  async route(path = "/", policies?: object): Promise<unknown> {
    const { port } = await this.upstream()
    return {
      matches: [{ path: { pathPrefix: path } }],
      backends: [{ host: `127.0.0.1:${port}` }],
      ...(policies === undefined ? {} : { policies }),
    }
  }

  async gateway(words: GatewayWords = {}): Promise<Subject> {
    const { file, port } = await this.configuration(words)
    return this.serve(file, port, words)
  }

  /** The gateway as its users start it. */
  async serve(file: string, port: number, words: GatewayWords): Promise<Subject> {
    const program = existsSync(mainFile) ? [mainFile, "-f", file] : [here("gateway.ts"), file]
    const subject = this.start(words.name ?? "gateway", port, program, words)
    await this.answering(subject)
    return subject
  }

  /** The gateway as a part of a program. */
  async embedded(words: GatewayWords = {}): Promise<Subject> {
    const { file, port } = await this.configuration(words)
    const subject = this.start(words.name ?? "embedded", port, [here("gateway.ts"), file], words)
    await this.answering(subject)
    return subject
  }

  start(name: string, port: number, program: ReadonlyArray<string>, words: GatewayWords = {}): Subject {
    const out = openSync(join(this.folder, `${name}.log`), "a")
    const flags = words.collects === true ? collecting : []
    const child = spawn(process.execPath, [...flags, ...program], {
      stdio: ["ignore", out, "inherit", "ipc"],
      env: { ...process.env, ...words.env },
    })
    closeSync(out)
    return this.own(new Subject(name, port, child))
  }

  async answering(subject: Subject): Promise<void> {
    const endsAt = performance.now() + 60_000
    while ((await once(subject.port)) === undefined) {
      if (subject.child.exitCode !== null) throw new Error(`${subject.name} ended with ${subject.child.exitCode}`)
      if (performance.now() > endsAt) throw new Error(`${subject.name} does not answer`)
      await pause(5)
    }
  }

  async nginx(): Promise<Subject | undefined> {
    const found = spawnSync("nginx", ["-v"], { stdio: "ignore" })
    if (found.error !== undefined) return undefined
    const port = await freePort()
    const file = join(this.folder, "nginx.conf")
    writeFileSync(file, nginxConfiguration(this.folder, port, (await this.upstream()).port))
    const child = spawn("nginx", ["-p", this.folder, "-c", file], { stdio: ["ignore", "ignore", "ignore"] })
    const subject = this.own(new Subject("nginx", port, child))
    await this.answering(subject)
    return subject
  }

  async stop(subject: Subject): Promise<void> {
    this.subjects.delete(subject)
    await subject.stop()
  }

  /** By the process of our own, which awaits every request it began. */
  async load(load: Load): Promise<Loaded> {
    this.loader ??= fork(here("load.ts"), [], { execArgv: [] })
    const loaded = told<Loaded>(this.loader, "loaded")
    this.loader.send(load)
    return loaded
  }

  /** By the loader that was chosen for what is compared. */
  async compared(load: Load): Promise<Loaded> {
    return this.settings.loader === "wrk" && load.requests === undefined ? wrk.run(load, this.folder) : this.load(load)
  }

  async memory(subject: Subject): Promise<Memory> {
    return memoryOf(subject.child)
  }

  close(): void {
    process.off("exit", this.onExit)
    for (const { child } of this.subjects) child.kill("SIGKILL")
    this.loader?.kill("SIGKILL")
    this.subjects.clear()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const nginxConfiguration = (folder: string, port: number, upstreamPort: number): string => `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 1000000000; tcp_nodelay on;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream bench { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_buffering off;
    }
  }
}
`
