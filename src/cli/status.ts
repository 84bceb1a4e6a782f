/** `sluice status`: how a running gateway is, on one screen. */
import type { TargetState } from "../Desk.ts"
import type { ThreadState } from "../workers/questions.ts"
import { adminClient, asking, done } from "./adminClient.ts"
import type { Printed } from "./validate.ts"

interface Status {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly config: {
    readonly version: number
    readonly synchronized: boolean
    readonly problems: ReadonlyArray<string>
  }
  readonly pending: ReadonlyArray<string>
  readonly level: string
  readonly threads: ReadonlyArray<ThreadState>
}

const lasting = (millis: number): string => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  const parts = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ]
  const named = parts.map((part, i) => `${part}${"dhms"[i] ?? ""}`)
  const from = parts.findIndex((part) => part > 0)
  return named.slice(from < 0 ? 3 : from, (from < 0 ? 3 : from) + 2).join(" ")
}

const targetLine = ({ evictedMillis, health, isDown, latencyMillis, pending, service, target }: TargetState): string =>
  [
    `  ${target}`,
    service === undefined ? undefined : `of ${service}`,
    health === undefined ? undefined : `health ${Math.round(health * 100)} %`,
    latencyMillis === undefined || latencyMillis === 0 ? undefined : `${Math.round(latencyMillis)} ms`,
    pending === undefined || pending === 0 ? undefined : `${pending} under way`,
    isDown === true ? "says that it is not well" : undefined,
    evictedMillis === undefined ? undefined : `left out for ${lasting(evictedMillis)} more`,
  ]
    .filter((part) => part !== undefined)
    .join("  ")

export const status = (admin: string | undefined, json: boolean, env: NodeJS.ProcessEnv): Promise<Printed> =>
  asking(async () => {
    const client = adminClient(admin, env)
    const status = (await (await client.ask("GET", "/api/status")).json()) as Status
    const targets = (await (await client.ask("GET", "/api/targets")).json()) as {
      readonly threads: ReadonlyArray<ReadonlyArray<TargetState>>
    }
    if (json) return done(`${JSON.stringify({ ...status, targets: targets.threads }, null, 2)}\n`)
    const sum = (of: (thread: ThreadState) => number): number => status.threads.reduce((all, one) => all + of(one), 0)
    const { config } = status
    const lines = [
      `sluice ${status.version} at ${client.url}, up ${lasting(Date.now() - Date.parse(status.startedAt))}`,
      status.pending.length === 0 ? "ready" : `not ready: ${status.pending.join(", ")}`,
      `configuration ${config.version}${config.synchronized ? "" : ", a newer one was refused:"}`,
      ...config.problems.map((problem) => `  ${problem}`),
      `${status.threads.length} thread${status.threads.length === 1 ? "" : "s"}, ${sum(({ connections }) => connections)} connections, ${sum(({ exchanges }) => exchanges)} requests under way, ${Math.round(sum(({ heapUsedBytes }) => heapUsedBytes) / 1e6)} MB of objects`,
      `log level ${status.level}`,
    ]
    const seen = new Map<string, TargetState>()
    for (const one of targets.threads.flat()) seen.set(`${one.service ?? ""} ${one.target}`, one)
    if (seen.size > 0) lines.push("targets", ...Array.from(seen.values(), targetLine))
    return { out: `${lines.join("\n")}\n`, error: "", exitCode: status.pending.length === 0 ? 0 : 1 }
  })
