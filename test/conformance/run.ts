/**
 * `npm run conformance [leg …]`: the official suite for MCP, through a gateway that runs as it is shipped. Each leg is a
 * kind of client in front of a kind of server; every deviation that is expected is written down, and none else passes.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

interface Leg {
  readonly name: string
  /** The requirement set of the suite, and with it the revision that is spoken; or single scenarios. */
  readonly requirements: "2025-11-25" | "2026-07-28"
  readonly scenarios?: ReadonlyArray<string>
  /** How the server is started, after the name of its file. */
  readonly server: ReadonlyArray<string>
  readonly protocol?: "auto" | "legacy" | "modern"
  /** A second target beside the server. */
  readonly federated?: true
  /** `scenario:check`, or a whole scenario. */
  readonly expected?: ReadonlyArray<string>
  /** Scenarios that are not scored, and still have to pass. */
  readonly alsoRequired: ReadonlyArray<string>
}

const here = import.meta.dirname
const root = path.join(here, "../..")
const fixture = path.join(here, "mcp/serve.ts")
const tasksFixture = path.join(here, "mcp/tasks.ts")

/** What a server with sessions cannot give to a client that is asked by results; nobody between them could add it. */
const lossy = [
  // It refuses by a tool error what is to be an error of the protocol.
  "server-stateless:sep-2575-server-rejects-undeclared-capability",
  "server-stateless:sep-2575-missing-capability-http-400",
  // Its questions have no names, and the suite asks for one.
  "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete",
  "input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params",
]

const unscoredLegacy = ["server-session-lifecycle", "json-schema-2020-12", "server-sse-polling"]
const unscoredModern = ["http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"]

const tasks = [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-status-notifications",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
]

const legs: ReadonlyArray<Leg> = [
  {
    name: "legacy-to-legacy",
    requirements: "2025-11-25",
    server: [fixture, "--era", "legacy"],
    protocol: "legacy",
    alsoRequired: unscoredLegacy,
  },
  {
    name: "modern-to-modern",
    requirements: "2026-07-28",
    server: [fixture, "--era", "modern"],
    protocol: "modern",
    alsoRequired: unscoredModern,
  },
  {
    name: "legacy-to-modern",
    requirements: "2025-11-25",
    server: [fixture, "--era", "modern", "--style", "write-once"],
    alsoRequired: unscoredLegacy,
  },
  {
    name: "modern-to-legacy",
    requirements: "2026-07-28",
    server: [fixture, "--era", "legacy"],
    expected: lossy,
    alsoRequired: unscoredModern,
  },
  {
    name: "legacy-to-sse",
    requirements: "2025-11-25",
    server: [fixture, "--transport", "sse"],
    alsoRequired: unscoredLegacy,
  },
  {
    name: "modern-to-sse",
    requirements: "2026-07-28",
    server: [fixture, "--transport", "sse"],
    expected: lossy,
    alsoRequired: unscoredModern,
  },
  {
    name: "federated-legacy",
    requirements: "2025-11-25",
    server: [fixture, "--era", "legacy"],
    federated: true,
    alsoRequired: unscoredLegacy,
  },
  {
    name: "federated-modern",
    requirements: "2026-07-28",
    server: [fixture, "--era", "modern"],
    federated: true,
    alsoRequired: unscoredModern,
  },
  {
    name: "tasks",
    requirements: "2026-07-28",
    scenarios: tasks,
    server: [tasksFixture],
    protocol: "modern",
    alsoRequired: tasks,
  },
]

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })

const firstLine = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      const end = text.indexOf("\n")
      if (end >= 0) resolve(text.slice(0, end))
    })
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })

const listens = async (port: number): Promise<void> => {
  const end = performance.now() + 90_000
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1")
      socket.once("connect", () => {
        socket.destroy()
        resolve(true)
      })
      socket.once("error", () => resolve(false))
    })
    if (isOpen) return
    if (performance.now() > end) throw new Error("the gateway does not listen")
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const finished = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.once("exit", (code) => resolve(code))
  })

/** A server that shares no name with the fixture. */
const other = path.join(here, "mcp/other.ts")

const configOf = (leg: Leg, url: string, otherUrl: string | undefined, port: number): string => {
  const kind = url.endsWith("/sse") ? "sse" : "mcp"
  const protocol = leg.protocol === undefined || kind === "sse" ? "" : `, protocol: ${leg.protocol}`
  const second = otherUrl === undefined ? "" : `\n    - {name: other, mcp: {host: "${otherUrl}"}}`
  return `
config: {adminAddr: "localhost:0", statsAddr: "localhost:0", readinessAddr: "localhost:0", workerThreads: 2, logging: {level: warn}}
mcp:
  port: ${port}${otherUrl === undefined ? "" : "\n  prefixMode: on-conflict"}
  targets:
    - {name: fixture, ${kind}: {host: "${url}"}${protocol}}${second}
`
}

interface Verdict {
  readonly leg: string
  readonly passed: number
  readonly failed: ReadonlyArray<string>
}

const run = async (leg: Leg, directory: string): Promise<Verdict> => {
  const children: Array<ChildProcess> = []
  const start = (args: ReadonlyArray<string>): ChildProcess => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
    children.push(child)
    return child
  }
  try {
    const url = await firstLine(start([...leg.server, "--port", "0"]))
    const otherUrl = leg.federated === true ? await firstLine(start([other])) : undefined
    const port = await freePort()
    const config = path.join(directory, `${leg.name}.yaml`)
    fs.writeFileSync(config, configOf(leg, url, otherUrl, port))
    start(["src/main.ts", "-f", config]).stdout?.resume()
    await listens(port)
    const expectedFile = path.join(directory, `${leg.name}.expected.yaml`)
    fs.writeFileSync(expectedFile, `server:${(leg.expected ?? []).map((one) => `\n  - ${one}`).join("") || " []"}\n`)
    const common = ["server", "--url", `http://localhost:${port}/mcp`, "-o", path.join(directory, leg.name)]
    const suite = path.join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js")
    const runs =
      leg.scenarios === undefined
        ? [["--requirements", leg.requirements, "--expected-failures", expectedFile]]
        : leg.scenarios.map((scenario) => ["--scenario", scenario, "--spec-version", leg.requirements])
    const failed: Array<string> = []
    let passed = 0
    for (const more of runs) {
      const child = spawn(process.execPath, [suite, ...common, ...more], {
        cwd: directory,
        stdio: ["ignore", "pipe", "pipe"],
      })
      let text = ""
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
      child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()))
      const code = await finished(child)
      fs.writeFileSync(path.join(directory, `${leg.name}${leg.scenarios === undefined ? "" : `.${more[1]}`}.log`), text)
      if (leg.scenarios !== undefined) {
        if (code === 0) passed++
        else failed.push(more[1] as string)
        continue
      }
      passed = (text.match(/^✓ /gm) ?? []).length
      const marked = [...text.matchAll(/^✗ ([^:\s]+):/gm)].map(([, name]) => name as string)
      const expected = new Set((leg.expected ?? []).map((one) => one.split(":")[0]))
      const required = marked.filter((name) => leg.alsoRequired.includes(name) && !expected.has(name))
      failed.push(...required)
      if (code !== 0) failed.push(...marked.filter((name) => !tasks.includes(name)), `exit ${code}`)
    }
    return { leg: leg.name, passed, failed: [...new Set(failed)] }
  } finally {
    for (const child of children) {
      child.kill("SIGTERM")
      await finished(child)
    }
  }
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !legs.some((leg) => leg.name === name))
if (unknown.length > 0) {
  console.error(`no such leg: ${unknown.join(", ")}; there are ${legs.map(({ name }) => name).join(", ")}`)
  process.exit(2)
}
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "conformance-"))
let isGood = true
for (const leg of legs) {
  if (wanted.length > 0 && !wanted.includes(leg.name)) continue
  const { failed, passed } = await run(leg, directory)
  isGood &&= failed.length === 0
  console.log(
    `${failed.length === 0 ? "✓" : "✗"} ${leg.name}: ${passed} scenarios passed${failed.length === 0 ? "" : `; ${failed.join(", ")}`}`,
  )
}
console.log(`Details are in ${directory}.`)
process.exit(isGood ? 0 : 1)
