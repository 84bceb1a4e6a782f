/** `sluice explain --id`: the story of one exchange, as a timeline. */
import type { Explanation } from "../telemetry/explanation.ts"
import { adminClient, asking, done } from "./adminClient.ts"
import type { Printed } from "./validate.ts"

const at = (millis: number | undefined): string => (millis === undefined ? "" : `${millis.toFixed(1)} ms`).padStart(10)

const brief = (detail: unknown): string => {
  if (detail === undefined) return ""
  const text = typeof detail === "string" ? detail : JSON.stringify(detail)
  return `  ${text.length > 160 ? `${text.slice(0, 160)}…` : text}`
}

export const timeline = (story: Explanation): string => {
  const { calls = [], fields, steps } = story
  const asked =
    fields["http.method"] === undefined
      ? `connection from ${String(fields["src.addr"] ?? "nobody knows where")}`
      : `${String(fields["http.method"])} ${String(fields["http.host"] ?? "")}${String(fields["http.path"] ?? "")}`
  return [
    story.why,
    "",
    `${story.at}  ${asked}  ${story.durationMillis} ms`,
    ...steps.map(
      ({ atMillis, decision, detail, stage }) => `${at(atMillis)}  ${stage.padEnd(24)} ${decision}${brief(detail)}`,
    ),
    ...(calls.length === 0 ? [] : ["", "calls"]),
    ...calls.map(
      ({ atMillis, error, millis, name }) =>
        `${at(atMillis)}  ${name}  ${millis} ms${error === undefined ? "" : `  ${error}`}`,
    ),
    ...(story.recorded ? [] : ["", "Nobody watched while it happened: this is what is known of every exchange."]),
    "",
  ].join("\n")
}

export const story = (id: string, admin: string | undefined, json: boolean, env: NodeJS.ProcessEnv): Promise<Printed> =>
  asking(async () => {
    const reply = await adminClient(admin, env).ask("GET", `/api/explain/${encodeURIComponent(id)}`)
    const found = (await reply.json()) as Explanation
    return done(json ? `${JSON.stringify(found, null, 2)}\n` : timeline(found))
  })

interface Told {
  readonly stories: ReadonlyArray<Pick<Explanation, "at" | "id" | "why">>
}

export const latest = (
  count: number,
  admin: string | undefined,
  json: boolean,
  env: NodeJS.ProcessEnv,
): Promise<Printed> =>
  asking(async () => {
    const reply = await adminClient(admin, env).ask("GET", `/api/explain?count=${count}`)
    const { stories } = (await reply.json()) as Told
    if (json) return done(`${JSON.stringify(stories, null, 2)}\n`)
    return done(stories.map(({ at: when, id, why }) => `${when}  ${id}  ${why}\n`).join(""))
  })
