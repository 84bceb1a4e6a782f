/** What people granted outlives the process, however it ends, and is seen by every worker of the next one. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { makeDirectory, Standalone, until } from "../../standalone.ts"
import { ask } from "../harness.ts"
import { Browser } from "./browser.ts"
import { linkIn, places, textOf } from "./place.ts"
import { authorizationServer } from "./authorizationServer.ts"
import { resourceServer } from "./resource.ts"
import { freePort } from "../../../freePort.ts"

const { closeAll, closed } = places()
const directory = makeDirectory()
const children: Array<Standalone> = []
afterEach(closeAll)
afterAll(async () => {
  for (const child of children) {
    child.kill("SIGKILL")
    await child.ended
  }
  fs.rmSync(directory, { recursive: true, force: true })
})

describe("a grant", () => {
  it(
    "outlives a process that is killed, in two workers, and is nowhere in the clear",
    { timeout: 120_000 },
    async () => {
      // Shorter than what is still sent: every use renews it, in the middle of one of which the process is killed.
      const auth = closed(await authorizationServer({ lifetimeSeconds: 5 }))
      const server = closed(await resourceServer(auth, { era: "modern" }))
      const port = await freePort()
      const file = path.join(directory, "config.yaml")
      const database = path.join(directory, "data.db")
      fs.writeFileSync(
        file,
        `
config: {database: {url: "sqlite://${database}"}, workerThreads: 2, session: {key: "${"cd".repeat(32)}"}}
mcp:
  port: ${port}
  targets: [{name: notes, mcp: {host: "${server.url}"}, oauth: {}}]
`,
      )
      const begin = async (): Promise<Standalone> => {
        const child = new Standalone({ args: ["-f", file], env: { WORKER_THREADS: undefined } })
        children.push(child)
        return child.serving()
      }
      const gateway = { url: `http://localhost:${port}/mcp` } as const
      const asked = () =>
        ask(gateway.url, "tools/call", { name: "whoami", arguments: {} }, { headers: { connection: "close" } })

      const first = await begin()
      const link = linkIn(await asked())
      const browser = new Browser()
      browser.set(auth.url, "as_user", "ann")
      expect((await browser.agree(link)).status).toBe(200)
      // Each connection may be another worker's.
      for (let i = 0; i < 8; i++) expect(textOf(await asked())).toBe("you are ann")

      const adminOf = ({ out }: Standalone): string => /^ +admin +(http\S+)$/m.exec(out)?.[1] ?? ""
      const listed = async (child: Standalone): Promise<string> =>
        (await fetch(`${adminOf(child)}/api/mcp/connections`)).text()
      expect(JSON.parse(await listed(first))).toMatchObject({
        connections: [{ target: "notes", server: server.url, issuer: auth.url, renews: true }],
      })

      const before = auth.asked.length
      const held = Promise.withResolvers<never>()
      held.promise.catch(() => {})
      auth.hold = held.promise
      const lost = asked().then(
        () => "answered",
        () => "lost",
      )
      await until(() => auth.asked.slice(before).includes("POST /token"))
      first.kill("SIGKILL")
      await first.ended
      expect(await lost).toBe("lost")
      // Nothing came of what was asked for, so the refresh token is still good.
      held.reject(new Error("the client is gone"))
      auth.hold = undefined

      const second = await begin()
      await until(async () => textOf(await asked()) === "you are ann")
      expect(auth.authorizations.length).toBe(1)

      const shown = await listed(second)
      const said = children.map(({ error, out }) => out + error).join("")
      const kept = fs
        .readdirSync(directory)
        .map((name) => fs.readFileSync(path.join(directory, name)).toString("latin1"))
      const secrets = [...auth.tokens.keys(), ...auth.refreshTokens.keys()]
      expect(secrets.length).toBeGreaterThan(10)
      for (const text of [said, shown, ...kept]) for (const secret of secrets) expect(text.includes(secret)).toBe(false)

      // Whoever runs the gateway can take it back, for every worker.
      const { connections } = JSON.parse(shown) as { readonly connections: ReadonlyArray<{ readonly id: string }> }
      const gone = `${adminOf(second)}/api/mcp/connections/${connections[0]?.id}`
      expect((await fetch(gone, { method: "DELETE" })).status).toBe(200)
      expect((await fetch(gone, { method: "DELETE" })).status).toBe(404)
      expect(auth.revoked.length).toBe(2)
      await until(async () => textOf(await asked()).includes("connect your account"))
    },
  )
})
