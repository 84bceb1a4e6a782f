/** Secrets of targets and of clients, looked for in everything a gateway says. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { makeDirectory, Standalone } from "../standalone.ts"
import { answerOf, ask, begin, modern, scripted } from "./harness.ts"
import { freePort } from "../../freePort.ts"

const directory = makeDirectory()
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

const canaries = {
  target: "canary-of-the-target-4711",
  process: "canary-of-the-process-4711",
  client: "canary-of-the-client-4711",
  key: "canary-key-4711",
}

describe("a secret", () => {
  it("is in no log, no metric and no dump", { timeout: 60_000 }, async () => {
    const server = await scripted(
      modern((turn) => turn.result({ resultType: "complete", content: [{ type: "text", text: "done" }], tools: [] })),
    )
    const port = await freePort()
    const file = path.join(directory, "config.json")
    fs.writeFileSync(
      file,
      JSON.stringify({
        mcp: {
          port,
          policies: { apiKey: { mode: "strict", keys: [{ key: canaries.key }] } },
          targets: [
            { name: "web", mcp: { host: server.url }, policies: { backendAuth: { key: canaries.target } } },
            {
              name: "gone",
              mcp: { host: "http://127.0.0.1:1/mcp" },
              policies: { backendAuth: { key: canaries.target } },
            },
            {
              name: "pipe",
              stdio: {
                cmd: process.execPath,
                args: ["-e", "console.error('no', Object.keys(process.env).length); process.exit(3)"],
                env: { TOKEN: canaries.process },
              },
            },
          ],
        },
      }),
    )
    const one = new Standalone({ args: ["-f", file], env: { RUST_LOG: "debug", LOG_LEVEL: "debug" } })
    try {
      await one.serving()
      const url = `http://localhost:${port}/mcp`
      const headers = { authorization: `Bearer ${canaries.key}`, cookie: canaries.client, "x-token": canaries.client }
      await ask(url, "tools/list", {}, { headers })
      for (const name of ["web_x", "gone_x", "pipe_x"]) {
        await ask(url, "tools/call", { name, arguments: { password: canaries.client } }, { headers })
      }
      await ask(url, "tools/call", { name: "web_x" }, { headers: { authorization: `Bearer ${canaries.client}` } })
      const client = await begin(url, { headers })
      expect(answerOf(await client.request("tools/call", { name: "web_x" })).result).toBeDefined()
      expect(server.requests.at(-1)?.headers.authorization).toBe(`Bearer ${canaries.target}`)
      const admin = /^ +admin +(http\S+)$/m.exec(one.out)?.[1] ?? ""
      const dump = await (await fetch(`${admin}/config_dump`)).text()
      expect(dump).toContain("web")
      const everything = [one.out, one.error, dump, await one.metrics()].join("\n")
      for (const canary of Object.values(canaries)) expect(everything).not.toContain(canary)
    } finally {
      one.kill("SIGKILL")
      await one.ended
      await server.close()
    }
  })
})
