/** Sessions and processes in several workers, one of which dies in the middle of everything; and a gateway that is killed. */
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { answerOf, ask, begin, type Json, legacy, post, type Said, type Scripted, scripted } from "./harness.ts"
import { freePort } from "../../freePort.ts"

const faults = fileURLToPath(new URL("../workerFaults.ts", import.meta.url))
const root = makeDirectory()
const running: Array<Standalone> = []
const servers: Array<Scripted> = []
afterEach(async () => {
  for (const one of running.splice(0)) {
    one.kill("SIGKILL")
    await one.ended
  }
  for (const one of servers.splice(0)) await one.close()
})
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

/** Writes down its number, answers, and stays when its input ends: only a signal ends it. */
const stubborn = (file: string): string => `
  require("node:fs").appendFileSync(${JSON.stringify(file)}, process.pid + "\\n");
  setInterval(() => {}, 1e6);
  let rest = "";
  process.stdin.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\\n");
    rest = lines.pop();
    for (const line of lines) {
      const { id, method } = JSON.parse(line);
      const say = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
      if (method === "initialize") say({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } });
      if (method === "tools/call") say({ content: [{ type: "text", text: String(process.pid) }] });
    }
  });`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const pidsIn = (file: string): ReadonlyArray<number> =>
  fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n").filter(Boolean).map(Number) : []

const textOf = (said: Said): unknown =>
  (answerOf(said).result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"]

const start = async (name: string, workers: number) => {
  const server = await scripted(
    legacy((turn) => turn.result({ content: [{ type: "text", text: String(turn.headers["mcp-session-id"]) }] })),
  )
  servers.push(server)
  const pids = path.join(root, `${name}.pids`)
  const port = await freePort()
  const file = path.join(root, `${name}.json`)
  fs.writeFileSync(
    file,
    JSON.stringify({
      config: { session: { key: "ab".repeat(32) } },
      mcp: {
        port,
        targets: [
          { name: "web", mcp: { host: server.url } },
          {
            name: "pipe",
            stdio: { cmd: process.execPath, args: ["--no-warnings", "-e", stubborn(pids)] },
            protocol: "legacy",
          },
        ],
      },
    }),
  )
  const one = new Standalone({
    args: ["-f", file],
    node: ["--import", faults],
    env: { WORKER_THREADS: String(workers) },
  })
  running.push(one)
  await one.serving()
  return { one, pids, server, url: `http://localhost:${port}/mcp`, file }
}

/** Each connection may be another worker's. */
const apart = { connection: "close" }

describe.runIf(process.platform === "linux")("an MCP session among several workers", { timeout: 120_000 }, () => {
  it("goes on when one of them dies, whichever it was, and no process stays behind", async () => {
    const { one, pids, server, url } = await start("workers", 2)
    await until(() => one.error.includes("thread began"))
    // Enough of them that both workers have some.
    const clients = await Promise.all(
      Array.from({ length: 16 }, () => begin(url, { headers: apart, capabilities: {} })),
    )
    const call = (id: string, name: string): Promise<Said> =>
      post(
        url,
        { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } },
        { ...apart, "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" },
      )
    const sessions = await Promise.all(clients.map(async ({ id }) => textOf(await call(id, "web_x"))))
    expect(new Set(sessions).size).toBe(clients.length)
    await Promise.all(
      clients.slice(0, 8).map(async ({ id }) => expect(textOf(await call(id, "pipe_x"))).toMatch(/^\d+$/)),
    )
    const before = pidsIn(pids)
    const begun = server.calls("initialize").length
    one.kill("SIGUSR2")
    await one.says("worker 1 ended; another takes its place")
    // The same sessions at the server, by the names that clients hold.
    const after = await Promise.all(clients.map(async ({ id }) => textOf(await call(id, "web_x"))))
    expect(after).toEqual(sessions)
    expect(server.calls("initialize").length).toBe(begun)
    for (const { id } of clients.slice(0, 8)) expect(textOf(await call(id, "pipe_x"))).toMatch(/^\d+$/)
    one.kill("SIGKILL")
    await one.ended
    expect(before.length).toBeGreaterThan(0)
    await until(
      () => pidsIn(pids).every((pid) => !isAlive(pid)),
      () => `still there: ${pidsIn(pids).filter(isAlive)}`,
    )
  })

  it("is taken up by the next process after a sudden end, and its server is not introduced anew", async () => {
    const first = await start("replica", 1)
    const client = await begin(first.url, { headers: apart })
    const name = textOf(await client.request("tools/call", { name: "web_x", arguments: {} }))
    const begun = first.server.calls("initialize").length
    first.one.kill("SIGKILL")
    await first.one.ended
    const next = new Standalone({ args: ["-f", first.file] })
    running.push(next)
    await next.serving()
    expect(textOf(await client.request("tools/call", { name: "web_x", arguments: {} }))).toBe(name)
    expect(first.server.calls("initialize").length).toBe(begun)
    const stream = await client.listen()
    expect(stream.status).toBe(200)
    await until(() => first.server.streams.size > 0)
    first.server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    await until(() => stream.events.some(({ data }) => data?.["method"] === "notifications/tools/list_changed"))
    stream.close()
    // And whoever has no session needs nothing of it.
    expect(
      textOf(await ask(first.url, "tools/call", { name: "web_x", arguments: {} }, { headers: apart })),
    ).toBeDefined()
  })
})
