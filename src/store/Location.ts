/** Where storage is, as `config.database.url` says it. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { join } from "node:path"
import { type Parsed, refuse } from "../config/Complaint.ts"

export type Location =
  | { readonly _tag: "File"; readonly path: string }
  /** Gone with the process, and seen by nobody else. */
  | { readonly _tag: "Memory" }
  /** The URL carries a password. */
  | { readonly _tag: "Postgres"; readonly url: Redacted.Redacted; readonly connectionsMax: number }

export const connectionsByDefault = 5

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** `postgres://…`, `sqlite://relative.db`, `sqlite:///absolute.db`, `sqlite::memory:`, or a path. */
export const parse = (url: string, connectionsMax: number = connectionsByDefault): Parsed<Location> => {
  const written = url.trim()
  if (/^postgres(?:ql)?:\/\//i.test(written)) {
    return URL.canParse(written)
      ? Result.succeed({ _tag: "Postgres", url: Redacted.make(written), connectionsMax })
      : refuse("not a URL of a Postgres database", "Write `postgres://user:password@host:5432/database`.")
  }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(written)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== "sqlite" && scheme !== "file") {
    return refuse(
      `\`${scheme}\` databases are not known`,
      "Use `sqlite://<path>` for a file, or `postgres://user:password@host:5432/database`.",
    )
  }
  const path = decoded(written.replace(/^(?:sqlite|file):(?:\/\/)?/i, "").replace(/\?.*$/, ""))
  if (path === ":memory:") return Result.succeed({ _tag: "Memory" })
  return path === "" || path.includes("\0")
    ? refuse("no path in the URL of the database", "Write `sqlite://<path>`.")
    : Result.succeed({ _tag: "File", path })
}

/** Where storage is when something needs it and nobody said where. */
export const byDefault = (env: Readonly<Record<string, string | undefined>>): Location => {
  const folder =
    env["SLUICE_DATA_DIR"] ||
    (env["XDG_STATE_HOME"] ? join(env["XDG_STATE_HOME"], "sluice") : join(env["HOME"] || ".", ".local/state/sluice"))
  return { _tag: "File", path: join(folder, "data.db") }
}

/** As it may be shown. */
export const describe = (location: Location): string => {
  switch (location._tag) {
    case "File":
      return location.path
    case "Memory":
      return "memory"
    case "Postgres": {
      const { host, pathname } = new URL(Redacted.value(location.url))
      return `postgres://${host}${pathname}`
    }
  }
}
