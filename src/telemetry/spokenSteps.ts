/** What the protocol inside an exchange adds to its story, worked out when all is over. */
import { totalOf } from "../../protocols/llm/Usage.ts"
import type { Account } from "../../stages/6-dispatch/llm/Account.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import { mcpCall } from "./spoken.ts"

export interface Step {
  /** Since the head of the request; absent where it was worked out afterwards. */
  readonly atMillis?: number
  readonly stage: string
  readonly decision: string
  readonly detail?: unknown
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const known = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const ofModel = (account: Account): ReadonlyArray<Step> => {
  const {
    clientFormat,
    cost,
    guarded,
    leftOut,
    priced,
    provider,
    providerName,
    requestModel,
    upstreamFormat,
    upstreamModel,
    usage,
  } = account
  const steps: Array<Step> = []
  for (const { action, guard, phase } of guarded) {
    steps.push({ stage: "guard", decision: `${guard} looked at the ${phase}: ${action}` })
  }
  if (provider !== undefined) {
    const isTranslated = clientFormat !== undefined && upstreamFormat !== undefined && clientFormat !== upstreamFormat
    steps.push({
      stage: "model",
      decision: `${requestModel ?? "no model"} was answered for by ${providerName ?? provider}`,
      detail: known({
        provider,
        model: upstreamModel,
        answeredAs: account.responseModel,
        translation: isTranslated ? `${clientFormat} to ${upstreamFormat}` : undefined,
        leftOut: leftOut === undefined || leftOut.length === 0 ? undefined : leftOut,
        tokens: usage === undefined ? undefined : totalOf(usage),
        inputTokens: usage?.inputTokens,
        outputTokens: usage?.outputTokens,
        isEstimated: account.isEstimated ? true : undefined,
      }),
    })
    steps.push({
      stage: "cost",
      decision:
        cost === undefined
          ? priced === "noCatalog"
            ? "unknown: there are no prices"
            : "unknown: the prices do not have this model"
          : `${cost.total.toFixed(6).replace(/0+$/, "").replace(/\.$/, "")} USD`,
    })
  }
  return steps
}

export const spokenSteps = ({ notes }: Exchange): ReadonlyArray<Step> => {
  if (notes?.llm !== undefined) return ofModel(notes.llm)
  if (notes?.mcp !== undefined) {
    const call = mcpCall(notes.mcp)
    if (call === undefined) return []
    const decision = `${call.method}${call.name === undefined ? "" : ` ${call.name}`}${call.target === undefined ? "" : ` at ${call.target}`}`
    return [
      {
        stage: "mcp",
        decision,
        ...(notes.mcp["error"] === undefined ? {} : { detail: { error: notes.mcp["error"] } }),
      },
    ]
  }
  const { a2a } = notes ?? {}
  if (a2a?.isCall !== true) return []
  return [
    {
      stage: "a2a",
      decision: `${a2a.method}${a2a.agent === undefined ? "" : ` of ${a2a.agent}`}`,
      detail: known({ binding: a2a.binding, version: a2a.version, ...Object.fromEntries(a2a.fields()) }),
    },
  ]
}

/** An error that the protocol itself told its client, whatever the status. */
export const problemOf = ({ notes }: Exchange): string | undefined => {
  const error = notes?.mcp?.["error"]
  const call = notes?.mcp === undefined ? undefined : mcpCall(notes.mcp)
  if (error === undefined || call === undefined) return undefined
  const message = String(memberOf(error, "message") ?? "").replace(/\.+$/, "")
  const who = call.target === undefined ? "the gateway" : call.target
  return `${call.method}${call.name === undefined ? "" : ` ${call.name}`} was answered by ${who} with an error: ${message} (${String(memberOf(error, "code"))})`
}
