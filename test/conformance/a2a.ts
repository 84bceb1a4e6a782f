/**
 * An agent that understands the words of the A2A compatibility kit, behind a gateway that bridges every binding and
 * version: what the kit (or anybody) is pointed at. Runs until it is told to stop, and then says whether anybody got to the
 * agent around the gateway.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { once } from "node:events"
import { startAgent } from "../e2e/a2a/agent.ts"
import { Standalone } from "../e2e/standalone.ts"
import { freePort } from "../freePort.ts"

const configOf = (port: number, agentPort: number, directory: string): string => `
config:
  database: {url: 'sqlite://${path.join(directory, "data.db")}'}
  a2a: {push: {callback: 'http://127.0.0.1:${port}', allowHosts: [127.0.0.1, localhost]}}
gateways: {default: {port: ${port}}}
routes:
- policies: {a2a: {bridge: {offers: [JSONRPC, HTTP+JSON, GRPC]}}}
  backends: [{host: '127.0.0.1:${agentPort}'}]
`

export interface Launched {
  readonly root: string
  /** Requests that reached the agent without having come through the gateway. */
  readonly around: () => ReadonlyArray<string>
  readonly close: () => Promise<void>
}

export const launch = async (wantedPort?: number): Promise<Launched> => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-a2a-"))
  const agent = await startAgent()
  const port = wantedPort ?? (await freePort())
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(file, configOf(port, agent.port, directory))
  const gateway = new Standalone({ args: ["-f", file] })
  await gateway.serving()
  return {
    root: `http://127.0.0.1:${port}`,
    around: () => agent.around,
    close: async () => {
      await gateway.stop()
      await agent.close()
      fs.rmSync(directory, { recursive: true, force: true })
    },
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

if (process.argv[1] === import.meta.filename) {
  const { around, close, root } = await launch(process.argv[2] === undefined ? undefined : Number(process.argv[2]))
  say(`The agent is behind ${root}, in every binding and version. In a checkout of a2a-tck:

  ./run_tck.py --sut-host ${root} --transport grpc,jsonrpc,http_json --level must      (branch 1.0-dev)
  ./run_tck.py --sut-url ${root} --category all --transports jsonrpc,grpc,rest         (0.3)

Control-C ends it.`)
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")])
  const strays = around()
  await close()
  if (strays.length > 0) {
    say(`\n${strays.length} requests reached the agent around the gateway:\n${strays.join("\n")}`)
    process.exitCode = 1
  }
}
