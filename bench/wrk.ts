/** Load by wrk, which costs a fraction of what it loads. */
import { spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Load, Loaded } from "./load.ts"

export const isThere = (): boolean => {
  const { error } = spawnSync("wrk", ["-v"], { stdio: "ignore" })
  return error === undefined
}

const script = ({ body, bodyBytes, headers = {}, method = "GET", paths }: Load): string => `
wrk.method = ${JSON.stringify(method)}
wrk.headers["user-agent"] = "bench"
wrk.headers["accept"] = "*/*"
wrk.headers["Host"] = "bench.example"
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join("\n")}
${body === undefined ? "" : `wrk.headers["content-type"] = "application/json"\nwrk.body = [==[${body}]==]`}
${bodyBytes === undefined ? "" : `wrk.headers["content-type"] = "text/plain"\nwrk.body = string.rep("x", ${bodyBytes})`}
${
  paths.length === 1
    ? ""
    : `
local requests, next = {}, 0
init = function()
  for i, path in ipairs({${paths.map((path) => JSON.stringify(path)).join(",")}}) do requests[i] = wrk.format(nil, path) end
end
request = function()
  next = next % #requests + 1
  return requests[next]
end`
}
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("\\nRESULT %d %d %d %.0f %.0f\\n", summary.requests - e.status, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`

export const run = (load: Load, folder: string): Promise<Loaded> =>
  new Promise((resolve, reject) => {
    const file = join(folder, "load.lua")
    writeFileSync(file, script(load))
    const seconds = Math.max(1, Math.round((load.millis ?? 1_000) / 1_000))
    const wrk = spawn(
      "wrk",
      [
        `-t1`,
        `-c${load.connections}`,
        `-d${seconds}s`,
        "-s",
        file,
        `http://127.0.0.1:${load.port}${load.paths[0] ?? "/"}`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    )
    let text = ""
    wrk.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
    wrk.once("error", reject)
    wrk.once("close", () => {
      const found = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(text)
      if (found === null) return reject(new Error(`wrk said: ${text}`))
      const [requests = 0, micros = 0, errors = 0, p50Micros = 0, p99Micros = 0] = found.slice(1).map(Number)
      resolve({ requests, failed: errors, seconds: micros / 1e6, p50Micros, p99Micros })
    })
  })
