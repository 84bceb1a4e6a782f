/** Ten thousand processes begun and ended: nothing of them is left, in the system or in memory. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { make as makeProcesses } from "../../src/node/processes.ts"
import { mcpGateway, type McpGateway, begin } from "../e2e/mcp/harness.ts"
import { makeDirectory } from "../e2e/standalone.ts"
import { cycles as live } from "../node/comingAndGoing.ts"
import { twoHalves } from "./halves.ts"

const cycles = Number(process.env["STDIO_CYCLES"] ?? 10_000)
/** For each cycle of the second half. */
const PROCESS_BYTES_MAX = 64
/** One that is kept takes kilobytes. */
const SESSION_BYTES_MAX = 64
/** A server that costs next to nothing to start: it answers the handshake, and a list without tools. */
const server = `
while IFS= read -r line; do
  id=\${line#*'"id":'}; id=\${id%%[,\\}]*}
  case $line in
    *'"method":"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"id"'*) result='{"tools":[]}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$result"
done`

describe.runIf(process.platform === "linux")("processes that come and go", () => {
  let gateway: McpGateway | undefined
  let folder: string | undefined
  afterEach(async () => {
    await gateway?.close()
    gateway = undefined
    if (folder !== undefined) fs.rmSync(folder, { recursive: true })
    folder = undefined
  })

  it(`leave nothing behind after ${cycles} of them`, { timeout: 1_800_000 }, async () => {
    const processes = makeProcesses()
    await twoHalves("processes", cycles, PROCESS_BYTES_MAX, (count) => live(processes, count))
    expect(processes.count()).toBe(0)
  })

  it(`leave nothing behind after ${cycles} sessions that had one each`, { timeout: 1_800_000 }, async () => {
    folder = makeDirectory()
    const file = path.join(folder, "server.sh")
    fs.writeFileSync(file, server)
    const stdio = JSON.stringify({ cmd: "sh", args: [file] })
    gateway = await mcpGateway(`{targets: [{name: local, protocol: legacy, stdio: ${stdio}}]}`)
    const { url } = gateway
    const one = async (): Promise<void> => {
      const session = await begin(url)
      const listed = await session.request("tools/list")
      expect(listed.messages.at(-1)?.result).toEqual({ tools: [] })
      expect(await session.end()).toBe(200)
      // The harness keeps every exchange, for whoever asks about it.
      gateway?.told.exchanges.splice(0)
    }
    const chain = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await one()
    }
    const AT_ONCE = 8
    await twoHalves("sessions", cycles, SESSION_BYTES_MAX, async (count) => {
      await Promise.all(Array.from({ length: AT_ONCE }, () => chain(Math.ceil(count / AT_ONCE))))
    })
  })
})
