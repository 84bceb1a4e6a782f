/** The configuration file: read, checked, planned, applied and taken back. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fs from "node:fs/promises"
import { parse as parseYaml } from "yaml"
import { type Changes, diff, isEmpty } from "../../../ir/diff.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { seal, unseal } from "../../../ir/transfer.ts"
import type { ConfigIssue } from "../../config/ConfigIssue.ts"
import { begin, type Job } from "../../config/loading.ts"
import { changes as editsBetween } from "../../config/local/changes.ts"
import { type Edit, edit } from "../../config/local/write.ts"
import type { Static } from "../../config/Static.ts"
import { redact } from "../redact.ts"
import { type Answer, json } from "../serve.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"

interface State {
  readonly version: number
  readonly problems: ReadonlyArray<string>
}

export interface ConfigFile {
  /** How the file is read; a job with a text has no file to be written to. */
  readonly job: Job
  readonly settings: Static
  readonly snapshot: () => Snapshot
  /** What became of what was told last: another object for each time. */
  readonly state: () => State
}

const opt = <S extends Schema.Top>(schema: S) => Schema.optionalKey(schema)
const PathPart = Schema.Union([Schema.String, Schema.Int])
const EditSchema = Schema.Union([
  Schema.Struct({ set: Schema.Array(PathPart), value: Schema.Json }),
  Schema.Struct({ append: Schema.Array(PathPart), value: Schema.Json }),
  Schema.Struct({ delete: Schema.Array(PathPart) }),
])
const Wanted = Schema.Struct({
  text: opt(Schema.String),
  config: opt(Schema.Json),
  edits: opt(Schema.Array(EditSchema)),
}).annotate({
  identifier: "WantedConfiguration",
  description: "A whole new text; or the whole as JSON, or single edits, which leave comments and order as they are.",
})
const ReadQuery = Schema.Struct({ raw: opt(Schema.String) })

/** Texts that served before, for taking back. */
const historyMax = 20
/** How long a change may take until it serves or is refused. */
const takenMillis = 30_000
const lookMillis = 25

const issueJson = ({ column, line, message, path, remedy, severity }: ConfigIssue) => ({
  severity,
  line,
  column,
  path,
  message,
  remedy,
})

interface Counted {
  readonly added: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

const shownMax = 100

/** What would be different, by kind and key. */
const effectOf = (changes: Changes): Readonly<Record<string, Counted>> =>
  Object.fromEntries(
    Object.entries(changes).flatMap(([table, { added, changed, removed }]) =>
      added.size + changed.size + removed.size === 0
        ? []
        : [
            [
              table,
              {
                added: [...added.keys()].slice(0, shownMax),
                changed: [...changed.keys()].slice(0, shownMax),
                removed: [...removed.keys()].slice(0, shownMax),
              },
            ],
          ],
    ),
  )

interface Plan {
  readonly text: string
  readonly issues: ReadonlyArray<ConfigIssue>
  readonly snapshot: Snapshot | undefined
  readonly needsRestart: boolean
}

export const configEndpoints = (
  file: ConfigFile | undefined,
  sensitive: ReadonlyArray<string>,
): ReadonlyArray<Endpoint> => {
  const history: Array<string> = []
  let isChanging = false
  const names = new Set(sensitive.map((name) => name.toLowerCase()))

  const current = async ({ job }: ConfigFile): Promise<string> => job.text ?? fs.readFile(job.file, "utf8")

  const textOf = async (
    of: ConfigFile,
    { config, edits, text }: typeof Wanted.Type,
  ): Promise<Result.Result<string, string>> => {
    if ([config, edits, text].filter((one) => one !== undefined).length !== 1) {
      return Result.fail("send exactly one of text, config and edits")
    }
    if (text !== undefined) return Result.succeed(text)
    const before = await current(of)
    const wanted: ReadonlyArray<Edit> =
      edits === undefined
        ? editsBetween(parseYaml(before) as unknown, config)
        : edits.map((one): Edit =>
            "set" in one
              ? { _tag: "Set", path: one.set, value: one.value }
              : "append" in one
                ? { _tag: "Append", path: one.append, value: one.value }
                : { _tag: "Delete", path: one.delete },
          )
    return Result.mapError(edit(before, wanted), ({ message }) => message)
  }

  const planOf = async (of: ConfigFile, text: string): Promise<Plan> => {
    const loading = begin()
    loading.load({ ...of.job, text })
    const outcome = await loading.outcome
    if (outcome._tag === "Refused") return { text, issues: outcome.issues, snapshot: undefined, needsRestart: false }
    const loaded = unseal(outcome.loaded)
    const same = JSON.stringify(seal(loaded.static)) === JSON.stringify(seal(of.settings))
    return { text, issues: loaded.warnings, snapshot: loaded.snapshot, needsRestart: !same }
  }

  const told = (of: ConfigFile, { issues, needsRestart, snapshot }: Plan) => {
    const changes = snapshot === undefined ? undefined : diff(of.snapshot(), snapshot)
    return {
      valid: snapshot !== undefined,
      issues: issues.map(issueJson),
      ...(changes === undefined ? {} : { changes: effectOf(changes), isEmpty: isEmpty(changes), needsRestart }),
    }
  }

  const write = async (path: string, text: string): Promise<void> => {
    // A link keeps leading where it leads, and nobody ever reads half a file.
    const target = await fs.realpath(path)
    const { mode } = await fs.stat(target)
    const beside = `${target}.${process.pid}.new`
    await fs.writeFile(beside, text, { mode: mode & 0o777 })
    await fs.rename(beside, target)
  }

  /** Undefined: it serves. What is wrong since before the change is not what is wrong with it. */
  const serving = async (of: ConfigFile, before: State): Promise<ReadonlyArray<string> | undefined> => {
    for (let waited = 0; waited < takenMillis; waited += lookMillis) {
      const state = of.state()
      if (state.version > before.version) return undefined
      if (state !== before) return state.problems
      await new Promise((resolve) => setTimeout(resolve, lookMillis))
    }
    return ["the change was written, but was not taken in time"]
  }

  const apply = async (of: ConfigFile, text: string, remember: boolean): Promise<Answer> => {
    if (of.job.text !== undefined) return refused(409, "the configuration is no file, so it cannot be written")
    if (isChanging) return refused(409, "another change is being made")
    isChanging = true
    try {
      const plan = await planOf(of, text)
      if (plan.snapshot === undefined) return { ...json(told(of, plan)), status: 422 }
      const answer = told(of, plan)
      const before = await current(of)
      const state = of.state()
      if (before === text && state.problems.length === 0) return json({ ...answer, applied: true })
      await write(of.job.file, text)
      const problems = await serving(of, state)
      if (problems !== undefined) {
        const refused = of.state()
        // What cannot be used must not be what the next start finds; the next change is not to be taken for this one.
        await write(of.job.file, before)
        await serving(of, refused)
        return { ...json({ ...answer, applied: false, problems }), status: 422 }
      }
      if (remember) {
        history.push(before)
        if (history.length > historyMax) history.shift()
      }
      return json({ ...answer, applied: true, version: of.state().version })
    } finally {
      isChanging = false
    }
  }

  const noFile = refused(404, "there is no configuration file")
  const wanting =
    (work: (of: ConfigFile, text: string) => Promise<unknown>) =>
    async ({ body }: { readonly body: typeof Wanted.Type }): Promise<unknown> => {
      if (file === undefined) return noFile
      const text = await textOf(file, body)
      return Result.isFailure(text) ? refused(400, text.failure) : work(file, text.success)
    }

  return [
    endpoint({
      method: "GET",
      path: "/api/config",
      summary: "The configuration file as JSON, without what looks like a secret",
      reply: Replies.AnyJson,
      run: async () => (file === undefined ? noFile : redact(parseYaml(await current(file)), names, true)),
    }),
    endpoint({
      method: "GET",
      path: "/api/config/text",
      summary: "The configuration file as it is written, comments and secrets included",
      isGuarded: true,
      query: ReadQuery,
      reply: Replies.AnyText,
      media: "application/yaml",
      run: async () =>
        file === undefined
          ? noFile
          : { status: 200, headers: { "content-type": "application/yaml" }, body: await current(file) },
    }),
    endpoint({
      method: "POST",
      path: "/api/config/validate",
      summary: "Everything that is wrong with a configuration",
      body: Wanted,
      reply: Replies.Validated,
      run: wanting(async (of, text) => {
        const { issues, snapshot } = await planOf(of, text)
        return { valid: snapshot !== undefined, issues: issues.map(issueJson) }
      }),
    }),
    endpoint({
      method: "POST",
      path: "/api/config/plan",
      summary: "What a configuration would change, without changing it",
      body: Wanted,
      reply: Replies.Planned,
      run: wanting(async (of, text) => told(of, await planOf(of, text))),
    }),
    endpoint({
      method: "POST",
      path: "/api/config",
      summary: "Writes a configuration and waits until it serves; one that is refused is not kept",
      body: Wanted,
      reply: Replies.Applied,
      refusal: Replies.NotApplied,
      run: wanting((of, text) => apply(of, text, true)),
    }),
    endpoint({
      method: "POST",
      path: "/api/config/rollback",
      summary: "Goes back to the configuration before the last one applied here",
      reply: Replies.Applied,
      refusal: Replies.NotApplied,
      run: async () => {
        if (file === undefined) return noFile
        const before = history.pop()
        if (before === undefined) return refused(409, "nothing was applied here that could be taken back")
        const answer = await apply(file, before, false)
        if (answer.status !== 200) history.push(before)
        return answer
      },
    }),
  ]
}
