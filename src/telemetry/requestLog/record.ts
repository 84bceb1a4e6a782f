/** From an exchange that is over to the rows that keep it. */
import { sql, type Statement } from "../../store/Statement.ts"
import type { Exchange } from "../../../stages/Exchange.ts"
import { redactText } from "../../admin/redact.ts"
import { explain } from "../explanation.ts"
import { remainsOf } from "../Remains.ts"
import { paid, payloadOf, type Payload } from "../spoken.ts"
import { arranged, type Told } from "../Told.ts"

/** Who is behind an exchange, as the configuration wants it told. */
export interface Standard {
  readonly user: string | undefined
  readonly group: string | undefined
}

const textIn = (value: unknown, name: string): string | undefined => {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === "string" && found !== "" ? found : undefined
}

/** Where the configuration says nothing: the first of what is usual. */
export const standardOf = ({ bound, identity }: Exchange): Standard => {
  const metadata = identity?.apiKey?.metadata
  const jwt = identity?.jwt
  const client = bound.secured.tls?.client
  const workload = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(
    client?.subjectAltNames.find((name) => name.startsWith("spiffe://")) ?? "",
  )
  const groups = jwt?.["groups"]
  return {
    user:
      textIn(metadata, "user") ??
      textIn(metadata, "name") ??
      textIn(metadata, "owner") ??
      textIn(jwt, "sub") ??
      textIn(jwt, "email") ??
      identity?.basicAuth?.username ??
      (workload === null ? undefined : `${workload[1]}/${workload[2]}`) ??
      client?.subjectCn,
    group:
      textIn(metadata, "group") ?? (Array.isArray(groups) && typeof groups[0] === "string" ? groups[0] : undefined),
  }
}

/** The product that a client says it is: the token before the slash. */
const agentOf = ({ request }: Exchange): string | undefined =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/.exec(request.headers.get("user-agent") ?? "")?.[0]

/** A prompt is kept as it was, except for what looks like a secret. */
const printed = (value: unknown): string | null => (value === undefined ? null : redactText(JSON.stringify(value)))

/** Characters of a payload that are kept. */
const payloadMax = 1024 * 1024

const bounded = (text: string | null): string | null =>
  text !== null && text.length > payloadMax ? JSON.stringify(`${text.slice(0, payloadMax)}…`) : text

export interface Rows {
  readonly id: string
  readonly statements: ReadonlyArray<Statement>
}

/** Undefined: a filter keeps it out. */
export const rowsOf = (told: Told, id: string, standard: (told: Told) => Standard): Rows | undefined => {
  const { ending, endedUnixMillis, exchange, fields, line, reason } = told
  const recording = exchange.trail.listener?.recording
  const stored = recording?.database
  const computed = (stored ?? recording)?.fields(exchange, ending)
  if (recording !== undefined && computed === undefined) return undefined
  const { group, user } = standard(told)
  const agent = agentOf(exchange)
  const bill = paid(exchange)
  const payload: Payload | undefined = stored?.llm === "full" ? payloadOf(exchange) : undefined
  const attributes: Record<string, unknown> = {
    ...Object.fromEntries(arranged(fields, recording?.removed ?? [], computed ?? [])),
    ...bill?.attributes,
    ...(agent === undefined ? {} : { "user_agent.name": agent }),
    ...(user === undefined ? {} : { "agentgateway.user": user }),
    ...(group === undefined ? {} : { "agentgateway.group": group }),
  }
  const story = exchange.id === undefined ? null : JSON.stringify(explain(remainsOf(told, exchange.id)))
  const started = Math.round(told.unixMillis(exchange.startedMillis))
  const row = sql`INSERT INTO request_logs (id, started_at, completed_at, duration_ms, protocol, trace_id, span_id,
    sluice_id, http_status, reason, error, gen_ai_operation_name, gen_ai_provider_name, gen_ai_request_model,
    gen_ai_response_model, input_tokens, output_tokens, total_tokens, cost, agentgateway_user, agentgateway_group,
    user_agent_name, has_payload, attributes_json, story_json) VALUES (
    ${id}, ${started}, ${Math.round(endedUnixMillis)}, ${ending.endedMillis - exchange.startedMillis}, ${line.protocol},
    ${line.traceId}, ${line.spanId}, ${exchange.id}, ${line.status === 0 ? null : line.status}, ${reason}, ${line.error},
    ${bill?.operation}, ${bill?.provider}, ${bill?.requestModel}, ${bill?.responseModel}, ${bill?.inputTokens},
    ${bill?.outputTokens}, ${bill?.totalTokens}, ${bill?.cost}, ${user}, ${group}, ${agent},
    ${payload === undefined ? 0 : 1}, ${JSON.stringify(attributes)}, ${story})`
  if (payload === undefined) return { id, statements: [row] }
  const kept = sql`INSERT INTO request_log_payloads VALUES (${id}, ${bounded(printed(payload.prompt))}, ${bounded(printed(payload.completion))})`
  return { id, statements: [row, kept] }
}
