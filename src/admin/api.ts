/** The admin interface: what is configured, how much is logged, and the end. */
import * as Result from "effect/Result"
import type { CustomFunctions } from "../../ir/cel/customFunctions.ts"
import { type Levels, parse } from "../telemetry/Levels.ts"
import type { Guard } from "./guard.ts"
import type { KeyDesk } from "./keys.ts"
import { answer as evaluateCel } from "./cel.ts"
import { type Answer, type Answering, type Asked, isRead, json, methodNotAllowed, notFound, text } from "./serve.ts"

export interface ApiOptions {
  readonly guard: Guard
  readonly levels: Levels
  readonly version: string
  readonly dump: () => Iterable<string>
  /** Told when the levels have changed. */
  readonly onLevels: () => void
  readonly quit: () => void
  /** By path. */
  readonly keys?: KeyDesk
  /** What the configuration adds to the language of expressions. */
  readonly functions?: CustomFunctions | undefined
  /** Everything below `/api/` that is not here; loaded when it is first asked. */
  readonly v1?: () => Promise<Answering>
}

const index = `Sluice admin

GET  /config_dump            the configuration that serves, without secrets
POST /logging                the log level: ?level=<level>, ?level=<target>=<level>,…, ?reset
POST /api/cel                evaluate {"expression": "…", "data": {…}, "place": "…"}
POST /keys/create            a key for models: {"name": "…", "models": ["…"], "tools": ["…"], "metadata": {…}, "budgets": […]}
POST /keys/list              the keys that were given out
POST /keys/renew?id=<id>     another key for the same holder; the one before is good for graceMillis more
POST /keys/revoke?id=<id>    take one back
POST /quitquitquit           shut down
GET  /memory                 memory of the process
GET  /version                which build this is
GET  /api/openapi.json       everything else, described
`

const usage = `usage: POST /logging                            show the current level
       POST /logging?level=<level>              set it
       POST /logging?level=<target>=<level>,…   set it for single targets
       POST /logging?reset                      back to what was configured (together with level: then change it)

levels: off, error, warn, info, debug, trace
`

const logging = ({ levels, onLevels }: ApiOptions, { query }: Asked): Answer => {
  const wanted = query.get("level")
  const directive = wanted === null ? undefined : parse(wanted)
  if (directive !== undefined && Result.isFailure(directive)) {
    return text(400, `invalid level ${JSON.stringify(directive.failure)}\n\n${usage}`)
  }
  const isReset = query.has("reset")
  if (isReset) levels.reset()
  if (directive !== undefined && !levels.set(directive.success)) return text(400, `too many targets\n\n${usage}`)
  if (isReset || directive !== undefined) onLevels()
  return text(200, `current log level is ${levels.describe()}\n`)
}

const memory = (): Answer => json(process.memoryUsage())

export const api = (options: ApiOptions): Answering => {
  const { dump, guard, quit, version } = options
  const reads: Readonly<Record<string, () => Answer>> = {
    "/": () => text(200, index),
    "/config_dump": () => ({ status: 200, headers: { "content-type": "application/json" }, body: dump() }),
    "/memory": memory,
    "/version": () => json({ version, node: process.version, platform: `${process.platform}-${process.arch}` }),
  }
  let loaded: Promise<Answering> | undefined
  const v1 = async (asked: Asked): Promise<Answer> => {
    loaded ??= options.v1?.()
    return loaded === undefined ? notFound : (await loaded)(asked)
  }
  const evaluate = async (asked: Asked): Promise<Answer> => {
    const body = await asked.body()
    return body === undefined ? text(413, "the body is too long\n") : evaluateCel(body, options.functions)
  }
  const changes: Readonly<Record<string, (asked: Asked) => Answer | Promise<Answer>>> = {
    "/api/cel": evaluate,
    "/cel": evaluate,
    "/logging": (asked) => logging(options, asked),
    ...options.keys,
    "/quitquitquit": () => {
      quit()
      return text(200, "shutdown now\n")
    },
  }
  return (asked) => {
    const read = Object.hasOwn(reads, asked.path) ? reads[asked.path] : undefined
    if (read !== undefined) {
      return guard.read(asked) ?? (isRead(asked.method) ? read() : methodNotAllowed("GET, HEAD"))
    }
    const change = Object.hasOwn(changes, asked.path) ? changes[asked.path] : undefined
    if (change === undefined && options.v1 !== undefined && asked.path.startsWith("/api/")) return v1(asked)
    if (change === undefined) return guard.read(asked) ?? notFound
    if (asked.method !== "POST") return guard.read(asked) ?? methodNotAllowed("POST")
    return guard.change(asked) ?? change(asked)
  }
}
