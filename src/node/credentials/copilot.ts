/** The token of GitHub Copilot: from the environment, or where the programs that log people in leave it. */
import * as Redacted from "effect/Redacted"
import { readFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Credentials } from "../../../stages/ports/Credentials.ts"

export interface CopilotPlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/** The parser is loaded by the first who has no token in the environment. */
const parsed = async (text: string): Promise<unknown> => {
  const { parse } = await import("yaml")
  return parse(text)
}

const tokenIn = (document: unknown): string | undefined => {
  if (typeof document !== "object" || document === null) return undefined
  for (const [host, entry] of Object.entries(document)) {
    if (!host.startsWith("github.com") || typeof entry !== "object" || entry === null) continue
    const token: unknown = Reflect.get(entry, "oauth_token")
    if (typeof token === "string" && token !== "") return token
  }
  return undefined
}

const read = async (path: string): Promise<string | undefined> => {
  try {
    // A file of YAML may be one of JSON.
    return tokenIn(await parsed(await readFile(path, "utf8")))
  } catch {
    return undefined
  }
}

export const make =
  ({ env, home }: CopilotPlaces = { env: process.env, home: homedir() }): Credentials["copilot"] =>
  async () => {
    for (const name of ["GH_COPILOT_TOKEN", "COPILOT_GITHUB_TOKEN"]) {
      const token = env[name]
      if (token !== undefined && token !== "") return Redacted.make(token)
    }
    const folder = env["XDG_CONFIG_HOME"] ?? join(home, ".config")
    for (const file of ["github-copilot/hosts.json", "github-copilot/apps.json", "gh/hosts.yml"]) {
      const token = await read(join(folder, file))
      if (token !== undefined) return Redacted.make(token)
    }
    throw new Error("nobody is logged in to GitHub Copilot on this machine")
  }
