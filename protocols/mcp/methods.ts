/** What the gateway knows of each method: where it names what it is about, and what its result is made of. */
import type { Era } from "./revision.ts"

/** A list: the member of the result that holds its items. */
export type Listed = "tools" | "prompts" | "resources" | "resourceTemplates"

export interface Method {
  readonly eras: ReadonlyArray<Era>
  /** The parameter that names what is meant. */
  readonly named?: "name" | "uri" | "taskId"
  readonly lists?: Listed
  /** Whether a modern server may answer with questions. */
  readonly asks?: true
}

const both: ReadonlyArray<Era> = ["legacy", "modern"]
const legacy: ReadonlyArray<Era> = ["legacy"]
const modern: ReadonlyArray<Era> = ["modern"]

/** Requests of clients. */
export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["initialize", { eras: legacy }],
  ["ping", { eras: legacy }],
  ["server/discover", { eras: modern }],
  ["tools/list", { eras: both, lists: "tools" }],
  ["tools/call", { eras: both, named: "name", asks: true }],
  ["prompts/list", { eras: both, lists: "prompts" }],
  ["prompts/get", { eras: both, named: "name", asks: true }],
  ["resources/list", { eras: both, lists: "resources" }],
  ["resources/templates/list", { eras: both, lists: "resourceTemplates" }],
  ["resources/read", { eras: both, named: "uri", asks: true }],
  ["resources/subscribe", { eras: legacy, named: "uri" }],
  ["resources/unsubscribe", { eras: legacy, named: "uri" }],
  ["completion/complete", { eras: both }],
  ["logging/setLevel", { eras: legacy }],
  ["subscriptions/listen", { eras: modern }],
  ["tasks/get", { eras: both, named: "taskId" }],
  ["tasks/cancel", { eras: both, named: "taskId" }],
  ["tasks/result", { eras: legacy, named: "taskId" }],
  ["tasks/list", { eras: legacy }],
  ["tasks/update", { eras: modern, named: "taskId" }],
])

/** Whether only clients with a session may ask for it. */
export const isLegacyOnly = (method: string): boolean => methods.get(method)?.eras === legacy

/** Whether only clients without one may. */
export const isModernOnly = (method: string): boolean => methods.get(method)?.eras === modern

/** Syslog severities, the least severe first. */
export const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const
export type LogLevel = (typeof logLevels)[number]

export const isLogLevel = (text: string | undefined): text is LogLevel =>
  text !== undefined && (logLevels as ReadonlyArray<string>).includes(text)

/** Whether a message of one level is wanted by who asked for another. */
export const isWanted = (level: LogLevel, from: LogLevel): boolean =>
  logLevels.indexOf(level) >= logLevels.indexOf(from)
