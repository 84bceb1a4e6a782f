/** One leg in which the suite calls, and servers of ours stand behind a gateway that runs as it is shipped. */
import * as fs from "node:fs"
import * as path from "node:path"
import { type ServerLeg, tasks } from "./legs.ts"
import { firstLine, listens, ran, Started } from "./started.ts"
import { root, suite, type Verdict } from "./Verdict.ts"
import { freePort } from "../freePort.ts"

/** A server that shares no name with the fixture. */
const other = path.join(import.meta.dirname, "mcp/other.ts")

const targetOf = ({ protocol, server, transport }: ServerLeg, url: string | undefined): string => {
  const pinned = protocol === undefined ? "" : `, protocol: ${protocol}`
  switch (transport) {
    case "stdio":
      return `stdio: {cmd: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify(server)}}${pinned}`
    case "sse":
      return `sse: {host: "${url}"}`
    case "http":
      return `mcp: {host: "${url}"}${pinned}`
  }
}

const configOf = (leg: ServerLeg, url: string | undefined, otherUrl: string | undefined, port: number): string => `
config: {adminAddr: "localhost:0", statsAddr: "localhost:0", readinessAddr: "localhost:0", workerThreads: ${leg.transport === "stdio" ? 1 : 2}, logging: {level: warn}}
mcp:
  port: ${port}${otherUrl === undefined ? "" : "\n  prefixMode: on-conflict"}
  targets:
    - {name: fixture, ${targetOf(leg, url)}}${otherUrl === undefined ? "" : `\n    - {name: other, mcp: {host: "${otherUrl}"}}`}
`

/** Scenario by scenario, for those that belong to no requirement set. */
const singly = async (leg: ServerLeg, common: ReadonlyArray<string>, directory: string): Promise<Verdict> => {
  const scenarios = leg.scenarios ?? []
  const failed: Array<string> = []
  for (const scenario of scenarios) {
    const { code, text } = await ran(
      [suite, ...common, "--scenario", scenario, "--spec-version", leg.requirements],
      directory,
    )
    fs.writeFileSync(path.join(directory, `${leg.name}.${scenario}.log`), text)
    if (code !== 0) failed.push(scenario)
  }
  return { leg: leg.name, passed: scenarios.length - failed.length, failed }
}

const whole = async (leg: ServerLeg, common: ReadonlyArray<string>, directory: string): Promise<Verdict> => {
  const file = path.join(directory, `${leg.name}.expected.yaml`)
  fs.writeFileSync(file, `server:${(leg.expected ?? []).map((one) => `\n  - ${one}`).join("") || " []"}\n`)
  const { code, text } = await ran(
    [suite, ...common, "--requirements", leg.requirements, "--expected-failures", file],
    directory,
  )
  fs.writeFileSync(path.join(directory, `${leg.name}.log`), text)
  const marked = [...text.matchAll(/^✗ ([^:\s]+):/gm)].map(([, name]) => name as string)
  const expected = new Set((leg.expected ?? []).map((one) => one.split(":")[0]))
  const failed = marked.filter((name) => leg.alsoRequired.includes(name) && !expected.has(name))
  if (code !== 0) failed.push(...marked.filter((name) => !tasks.includes(name)), `exit ${code}`)
  return { leg: leg.name, passed: (text.match(/^✓ /gm) ?? []).length, failed: [...new Set(failed)] }
}

/**
 * The suite gives a call half a second, which is less than a program takes to start, and what its clients can do decides
 * which process they get: so there is one for each of them before it begins, in the only worker.
 */
const warm = async (url: string): Promise<void> => {
  for (const capabilities of [{}, { elicitation: {} }]) {
    const prefix = "io.modelcontextprotocol/"
    const reply = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "test_simple_text",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "test_simple_text",
          arguments: {},
          _meta: { [`${prefix}protocolVersion`]: "2026-07-28", [`${prefix}clientCapabilities`]: capabilities },
        },
      }),
    })
    const text = await reply.text()
    if (!reply.ok || !text.includes("simple text response")) throw new Error(`the server does not answer: ${text}`)
  }
}

export const runServerLeg = async (leg: ServerLeg, directory: string): Promise<Verdict> => {
  const started = new Started()
  try {
    const url =
      leg.transport === "stdio" ? undefined : await firstLine(started.node([...leg.server, "--port", "0"], root))
    const otherUrl = leg.federated === true ? await firstLine(started.node([other], root)) : undefined
    const port = await freePort()
    const config = path.join(directory, `${leg.name}.yaml`)
    fs.writeFileSync(config, configOf(leg, url, otherUrl, port))
    started.node(["src/main.ts", "-f", config], root).stdout?.resume()
    await listens(port)
    const endpoint = `http://localhost:${port}/mcp`
    if (leg.transport === "stdio") await warm(endpoint)
    const common = ["server", "--url", endpoint, "-o", path.join(directory, leg.name)]
    return await (leg.scenarios === undefined ? whole : singly)(leg, common, directory)
  } finally {
    await started.end()
  }
}
