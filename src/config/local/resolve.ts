/** Reads the files that a configuration refers to. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { referencedBytesMax } from "../bounds.ts"
import type { Contents } from "./Mapping.ts"

/** The way to files, as narrow as it can be; a failure says in a few words why there is no content. */
export interface Io {
  readonly readFile: (path: string) => Effect.Effect<string, string>
}

export const readAll = (names: ReadonlyArray<string>, io: Io): Effect.Effect<Contents> =>
  Effect.map(
    Effect.forEach(
      names,
      (name) =>
        Effect.map(Effect.result(io.readFile(name)), (content): readonly [string, Result.Result<string, string>] => [
          name,
          Result.isSuccess(content) && content.success.length > referencedBytesMax
            ? Result.fail(`it is larger than ${referencedBytesMax} bytes`)
            : content,
        ]),
      { concurrency: 16 },
    ),
    (entries) => new Map(entries),
  )
