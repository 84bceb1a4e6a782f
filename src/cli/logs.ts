/** `sluice logs`: the latest entries of the request log, and with -f those to come. */
import type { Entry } from "../telemetry/requestLog/query.ts"
import { adminClient, asking, done } from "./adminClient.ts"
import type { Printed } from "./validate.ts"

export interface LogsAsked {
  readonly admin: string | undefined
  readonly follow: boolean
  readonly json: boolean
  readonly count: number
  readonly status: ReadonlyArray<number>
}

export const line = (entry: Entry): string => {
  const attributes = (entry.attributes ?? {}) as Readonly<Record<string, unknown>>
  const text = (name: string): string | undefined => {
    const value = attributes[name]
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined
  }
  const { cost, genAi, usage } = entry
  const what =
    genAi.requestModel ??
    text("mcp.method.name") ??
    text("a2a.method") ??
    `${text("http.method") ?? "-"} ${text("http.path") ?? "-"}`
  return [
    entry.startedAt,
    String(entry.httpStatus ?? "---"),
    `${Math.round(entry.durationMs)}ms`.padStart(7),
    entry.protocol.padEnd(4),
    what,
    text("agentgateway.user"),
    usage.totalTokens === undefined ? undefined : `${usage.totalTokens} tokens`,
    cost === undefined ? undefined : `$${cost.toFixed(6)}`,
    entry.error === undefined ? undefined : JSON.stringify(entry.error),
    entry.sluiceId === undefined ? undefined : `(sluice explain --id ${entry.sluiceId})`,
  ]
    .filter((part) => part !== undefined)
    .join("  ")
}

/** The data of server-sent events named `log`, as they come. */
async function* events(reply: Response): AsyncGenerator<{ readonly entry: Entry }> {
  let text = ""
  for await (const chunk of reply.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (name === "log" && data !== undefined) yield JSON.parse(data) as { readonly entry: Entry }
    }
  }
}

export const logs = (
  { admin, count, follow, json, status }: LogsAsked,
  env: NodeJS.ProcessEnv,
  write: (text: string) => void,
): Promise<Printed> =>
  asking(async () => {
    const client = adminClient(admin, env)
    const shown = (entry: Entry): string => `${json ? JSON.stringify(entry) : line(entry)}\n`
    const filters = status.length === 0 ? {} : { httpStatus: status }
    const searched = await client.ask("POST", "/api/logs/search", { limit: count, includeAttributes: true, filters })
    const { logs: found } = (await searched.json()) as { readonly logs: ReadonlyArray<Entry> }
    const out = found.toReversed().map(shown).join("")
    if (!follow) return done(out)
    write(out)
    for await (const { entry } of events(await client.ask("POST", "/api/logs/tail", { filters }))) write(shown(entry))
    return done("")
  })
