/** `sluice import`: a configuration of another gateway, in our words; with a finding for everything that was there. */
import { readFileSync, writeFileSync } from "node:fs"
import { parse, stringify } from "yaml"
import { format } from "../config/ConfigIssue.ts"
import { type Finding, fieldsOf, type Imported } from "./import/Findings.ts"
import { litellm } from "./import/litellm.ts"
import { mcp } from "./import/mcp.ts"
import { portkey } from "./import/portkey.ts"
import { type Printed, readFor } from "./validate.ts"

export const sources = ["litellm", "portkey", "agentgateway", "mcp"] as const
export type Source = (typeof sources)[number]

const failed = (message: string): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode: 1 })

export const importFrom = async (
  from: string,
  file: string,
  to: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Printed> => {
  if (!(sources as ReadonlyArray<string>).includes(from))
    return failed(`nothing can be imported from ${JSON.stringify(from)}; the sources are ${sources.join(", ")}`)
  let text: string
  let document: unknown
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8")
    document = parse(text)
  } catch (error) {
    return failed(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    return failed(`${file}: it holds no configuration of ${from}: that is a map`)
  const imported: Imported =
    from === "litellm"
      ? litellm(document)
      : from === "portkey"
        ? portkey(document)
        : from === "mcp"
          ? mcp(document)
          : { config: fieldsOf(document), findings: [] }
  // Their own configuration works as it is, comments included.
  const out = from === "agentgateway" ? text : stringify(imported.config, { lineWidth: 0 })
  const read = await readFor("imported", { ...env, ...placeholders(out, env) }, out)
  const issues = read._tag === "Refused" ? read.issues : read.loaded.warnings
  const checked = issues.map((issue): Finding => ({
    grade: issue.severity === "error" ? "manual" : "approximate",
    path: issue.path,
    message: format(issue, "imported").split("\n")[0] ?? issue.message,
  }))
  const all: ReadonlyArray<Finding> = [
    ...(from === "agentgateway" && checked.length === 0
      ? [{ grade: "exact" as const, path: "", message: "works as it is" }]
      : imported.findings),
    ...checked,
  ]
  const error = all
    .map(({ grade, message, path }) => `${grade}: ${path === "" ? "(all)" : path.replace(/^\./, "")}: ${message}\n`)
    .join("")
  const exitCode = all.some(({ grade }) => grade === "manual" || grade === "unsupported") ? 1 : 0
  if (to === undefined || to === "-") return { out, error, exitCode }
  writeFileSync(to, out, { flag: "wx", mode: 0o600 })
  return { out: `${to} written\n`, error, exitCode }
}

/** What is only named is there for the check. */
const placeholders = (text: string, env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/\$\{?([A-Z][A-Z0-9_]*)\}?/g)].flatMap(([, name]) =>
      name === undefined || env[name] !== undefined ? [] : [[name, "placeholder"]],
    ),
  )
