/** The application log: what the gateway has to say about itself, in the formats of the access log. */
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import type * as Logger from "effect/Logger"
import type { LogLevel } from "effect/LogLevel"
import * as Pipeable from "effect/Pipeable"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import type { Level } from "../config/Static.ts"
import { type Format, plain, quoted } from "./accessLog.ts"
import type { Levels } from "./Levels.ts"

/** The target of whatever names none; `Effect.annotateLogs("target", name)` names one. */
const defaultTarget = "sluice"

/** Fields of one line, at most: an object logged by mistake does not fill the log. */
const fieldsMax = 32
const valueLengthMax = 8192

const levelOf = (level: LogLevel): Level => {
  switch (level) {
    case "Fatal":
    case "Error":
      return "error"
    case "Warn":
      return "warn"
    case "Debug":
      return "debug"
    case "Trace":
    case "All":
      return "trace"
    case "None":
      return "off"
    case "Info":
      return "info"
  }
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null || Redacted.isRedacted(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const textOf = (value: unknown): string => {
  try {
    const text =
      typeof value === "string"
        ? value
        : value instanceof Error
          ? (value.stack ?? value.message)
          : typeof value === "object" && value !== null && !Redacted.isRedacted(value)
            ? (JSON.stringify(value) ?? "undefined")
            : String(value)
    return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text
  } catch {
    return "<cannot be shown>"
  }
}

export interface Entry {
  readonly time: string
  readonly level: Level
  readonly target: string
  readonly message: string
  readonly fields: ReadonlyArray<readonly [name: string, value: unknown]>
}

/** One line for one entry; nothing in it can begin another line. */
export const formatEntry = (format: Format, { fields, level, message, target, time }: Entry): string => {
  let line = format.begin(time, level, target)
  if (format.name === "json") line += format.key("message") + quoted(message)
  else
    line += `\t${message
      .split(/\s*[\r\n]+\s*/)
      .join(" ")
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, "�")}`
  for (const [name, value] of fields.slice(0, fieldsMax)) {
    const isNumber = typeof value === "number" && Number.isFinite(value)
    const key = format.name === "text" ? ` ${plain(name)}=` : format.key(name)
    line +=
      key +
      (isNumber || typeof value === "boolean"
        ? String(value)
        : name === "error"
          ? quoted(textOf(value))
          : format.value(textOf(value)))
  }
  return line + format.end
}

export interface LogOptions {
  readonly format: Format
  readonly levels: Levels
  readonly write: (line: string) => void
}

/** What `Logger.make` makes, whose module brings the file system and all of streams along. */
class Lines extends Pipeable.Class implements Logger.Logger<unknown, void> {
  readonly "~effect/Logger" = "~effect/Logger"
  readonly log: (said: Logger.Options<unknown>) => void

  constructor(log: (said: Logger.Options<unknown>) => void) {
    super()
    this.log = log
  }
}

/** Takes the place of the console for everything that is logged below it. */
const logger = ({ format, levels, write }: LogOptions): Logger.Logger<unknown, void> =>
  new Lines(({ cause, date, fiber, logLevel, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    const named = annotations["target"]
    const target = typeof named === "string" ? named : defaultTarget
    const level = levelOf(logLevel)
    if (!levels.enabled(target, level)) return
    const parts: Array<string> = []
    const fields: Array<readonly [string, unknown]> = []
    for (const part of Array.isArray(message) ? message : [message]) {
      if (isPlain(part)) fields.push(...Object.entries(part))
      else parts.push(textOf(part))
    }
    for (const [name, value] of Object.entries(annotations)) if (name !== "target") fields.push([name, value])
    for (const [label, startedMillis] of fiber.getRef(References.CurrentLogSpans)) {
      fields.push([label, `${date.getTime() - startedMillis}ms`])
    }
    if (cause.reasons.length > 0) fields.push(["error", Cause.pretty(cause)])
    const time = `${date.toISOString().slice(0, -1)}000Z`
    write(formatEntry(format, { time, level, target, message: parts.join(" "), fields }))
  })

/** The levels are asked for every line, so nothing is held back before it gets here. */
export const layer = (options: LogOptions): Layer.Layer<never> =>
  Layer.merge(
    Layer.succeed(References.CurrentLoggers, new Set([logger(options)])),
    Layer.succeed(References.MinimumLogLevel, "All"),
  )
