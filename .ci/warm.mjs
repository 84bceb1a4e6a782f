/**
 * Runs once what `npm start` runs, and keeps its code in compiled form. Without it the first start has all types taken out,
 * which doubles its time and leaves a third more memory in use. Nothing depends on it: what goes wrong here, the first start
 * does by itself.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { endOnceItServes, freePort } from "./serving.mjs"

const GIVE_UP_MILLIS = 30_000

const rehearse = async () => {
  const port = await freePort()
  const off = { ADMIN_ADDR: "off", STATS_ADDR: "off", READINESS_ADDR: "off" }
  const gateway = spawn(process.execPath, [join(import.meta.dirname, "../src/start.js")], {
    stdio: "ignore",
    env: { ...process.env, ...off, SLUICE_PORT: String(port), WORKER_THREADS: "1" },
  })
  await endOnceItServes(gateway, port, GIVE_UP_MILLIS)
}

if (Number(process.versions.node.split(".")[0]) >= 24) await rehearse().catch(() => {})
