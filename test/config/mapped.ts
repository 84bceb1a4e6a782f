/** A configuration file as it is understood, and what is said against it. */
import * as Result from "effect/Result"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { decoder } from "../../src/config/local/decode.ts"
import { read } from "../../src/config/local/read.ts"
import { LocalConfig } from "../../src/config/local/Schema.ts"
import { toIr } from "../../src/config/local/toIr.ts"

const decode = decoder(LocalConfig)

export interface Mapped {
  readonly snapshot: Snapshot
  readonly problems: ReadonlyArray<{ readonly message: string; readonly path: unknown }>
  /** The problems with their places, as text. */
  readonly complaints: ReadonlyArray<string>
}

export const mapped = (text: string, files: Readonly<Record<string, string>> = {}): Mapped => {
  const document = read(text, {})
  const decoded = decode(document.value)
  const known = new Map(Object.entries(files).map(([name, content]) => [name, Result.succeed(content)]))
  const ir = toIr(decoded.value ?? {}, known)
  const problems = [...document.issues, ...decoded.problems, ...ir.problems]
  return {
    snapshot: ir.snapshot,
    problems,
    complaints: problems.map(({ message, path }) => `${Array.isArray(path) ? path.join(".") : path}: ${message}`),
  }
}
