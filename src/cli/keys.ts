/** `sluice keys`: gives out keys, lists them, takes them back, in the storage that a configuration names. */
import * as Effect from "effect/Effect"
import type { Budget } from "../../ir/policy/Budget.ts"
import { parse as parseDuration } from "../config/duration.ts"
import { formatAll } from "../config/ConfigIssue.ts"
import * as File from "../config/file.ts"
import { begin } from "../config/loading.ts"
import * as Keys from "../llm/keys.ts"
import type { Wanted } from "../llm/wanted.ts"
import * as Storage from "../store/Storage.ts"
import { byDefault } from "../store/Location.ts"
import * as Result from "effect/Result"

export interface KeysAsked {
  readonly action: "create" | "list" | "renew" | "revoke"
  readonly file: string | undefined
  readonly name: string | undefined
  readonly id: string | undefined
  readonly models: ReadonlyArray<string>
  readonly tools: ReadonlyArray<string>
  readonly grace: string | undefined
  readonly budgets: ReadonlyArray<string>
  readonly expires: string | undefined
  readonly metadata: string | undefined
  readonly json: boolean
}

interface Printed {
  readonly out: string
  readonly error: string
  readonly exitCode: number
}

const failed = (message: string, exitCode = 1): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode })

/** `usd:10/24h` or `tokens:100000/1h`. */
const budgetOf = (written: string, i: number): Budget | string => {
  const found = /^(usd|tokens):(\d+(?:\.\d+)?)\/(\S+)$/.exec(written)
  const window = found === null ? undefined : parseDuration(found[3] as string)
  if (found === null || window === undefined || Result.isFailure(window) || window.success <= 0) {
    return `a budget is written usd:10/24h or tokens:100000/1h, not ${JSON.stringify(written)}`
  }
  const amount = Number(found[2])
  return {
    name: `budget${i}`,
    ...(found[1] === "usd" ? { usd: amount } : { tokens: Math.trunc(amount) }),
    windowMillis: window.success,
    hard: true,
  }
}

const wantedOf = (asked: KeysAsked): Wanted | string => {
  const { budgets, expires, metadata, models, name, tools } = asked
  if (name === undefined) return "a key needs a name: sluice keys create --name NAME"
  const limits: Array<Budget> = []
  for (const [i, written] of budgets.entries()) {
    const budget = budgetOf(written, i)
    if (typeof budget === "string") return budget
    limits.push(budget)
  }
  const life = expires === undefined ? undefined : parseDuration(expires)
  if (life !== undefined && Result.isFailure(life)) return `--expires takes a duration such as 720h: ${expires}`
  let about: unknown = {}
  try {
    about = metadata === undefined ? {} : JSON.parse(metadata)
  } catch {
    about = undefined
  }
  if (typeof about !== "object" || about === null || Array.isArray(about)) return "--metadata takes a JSON object"
  return {
    name,
    metadata: about as NonNullable<Wanted["metadata"]>,
    ...(models.length === 0 ? {} : { models }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(limits.length === 0 ? {} : { budgets: limits }),
    ...(life === undefined ? {} : { expiresMillis: Date.now() + life.success }),
  }
}

const timeOf = (millis: number | undefined): string => (millis === undefined ? "never" : new Date(millis).toISOString())

const lineOf = ({ expiresMillis, id, key, models, name, revokedMillis, tools }: Keys.Shown): string =>
  [
    id,
    key,
    name,
    models === undefined ? "all models" : models.join(","),
    tools === undefined ? "all tools" : tools.join(","),
    revokedMillis === undefined ? `expires ${timeOf(expiresMillis)}` : `revoked ${timeOf(revokedMillis)}`,
  ].join("\t")

export const keys = async (asked: KeysAsked, environment: NodeJS.ProcessEnv): Promise<Printed> => {
  const wanted = asked.action === "create" ? wantedOf(asked) : undefined
  if (typeof wanted === "string") return failed(wanted, 2)
  const { id } = asked
  if ((asked.action === "revoke" || asked.action === "renew") && id === undefined) {
    return failed(`${asked.action} needs the id of a key`, 2)
  }
  const grace = asked.grace === undefined ? undefined : parseDuration(asked.grace)
  if (grace !== undefined && Result.isFailure(grace)) {
    return failed(`--grace takes a duration such as 24h: ${asked.grace}`, 2)
  }
  let location = byDefault(environment)
  if (asked.file !== undefined) {
    const loading = begin()
    loading.load({ file: asked.file, env: { ...environment } })
    const read = await Effect.runPromise(Effect.result(File.finish(loading.outcome)))
    if (Result.isFailure(read)) return failed(`\n${formatAll(read.failure, asked.file)}`)
    location = read.success.loaded.static.database.location
  }
  const work = Effect.gen(function* () {
    const store = yield* (yield* Storage.Storage).of(Keys.component)
    if (wanted !== undefined) {
      const made = yield* Keys.create(store, wanted, Date.now())
      return asked.json ? `${JSON.stringify(made)}\n` : `${made.key}\n`
    }
    if (asked.action === "list") {
      const all = yield* Keys.list(store)
      return asked.json ? `${JSON.stringify(all, null, 2)}\n` : all.map((one) => `${lineOf(one)}\n`).join("")
    }
    if (asked.action === "renew") {
      const made = yield* Keys.renew(store, id ?? "", Date.now(), grace?.success ?? 0)
      if (made === undefined) return "no such key\n"
      return asked.json ? `${JSON.stringify(made)}\n` : `${made.key}\n`
    }
    return (yield* Keys.revoke(store, id ?? "", Date.now())) ? "revoked\n" : "no such key\n"
  })
  return Effect.runPromise(
    Effect.match(Effect.scoped(Effect.provide(work, Storage.layer(location))), {
      onFailure: ({ message }) => failed(message),
      onSuccess: (out) => ({ out, error: "", exitCode: out === "no such key\n" ? 1 : 0 }),
    }),
  )
}
