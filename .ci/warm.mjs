/**
 * Runs once what `npm start` runs, and keeps its code in compiled form. Without it the first start has all types taken out,
 * which doubles its time and leaves a third more memory in use. Nothing depends on it: what goes wrong here, the first start
 * does by itself.
 */
import { spawn } from "node:child_process"
import { request } from "node:http"
import { createServer } from "node:net"
import { join } from "node:path"

const GIVE_UP_MILLIS = 30_000

const freePort = () =>
  new Promise((found, failed) => {
    const server = createServer().once("error", failed)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => found(port))
    })
  })

const answers = (port) =>
  new Promise((told) => {
    request({ port, host: "127.0.0.1" }, (response) => {
      response.resume()
      response.once("end", () => told(true))
    })
      .once("error", () => told(false))
      .end()
  })

const rehearse = async () => {
  const port = await freePort()
  const off = { ADMIN_ADDR: "off", STATS_ADDR: "off", READINESS_ADDR: "off" }
  const gateway = spawn(process.execPath, [join(import.meta.dirname, "../src/start.js")], {
    stdio: "ignore",
    env: { ...process.env, ...off, SLUICE_PORT: String(port), WORKER_THREADS: "1" },
  })
  const ended = new Promise((told) => gateway.once("exit", told).once("error", told))
  const giveUpAt = Date.now() + GIVE_UP_MILLIS
  while (gateway.exitCode === null && Date.now() < giveUpAt && !(await answers(port))) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  gateway.kill(Date.now() < giveUpAt ? "SIGTERM" : "SIGKILL")
  await ended
}

if (Number(process.versions.node.split(".")[0]) >= 24) await rehearse().catch(() => {})
