import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { assert, describe, it } from "vitest"
import { formats } from "../../src/telemetry/accessLog.ts"
import { Levels } from "../../src/telemetry/Levels.ts"
import * as Log from "../../src/telemetry/log.ts"

const logged = async (
  effect: Effect.Effect<unknown>,
  format: "text" | "json" = "text",
  levels = new Levels({ level: "info", targets: [] }),
): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  const write = (line: string): void => void lines.push(line)
  await Effect.runPromise(Effect.provide(effect, Log.layer({ format: formats[format], levels, write })))
  return lines
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

describe("the application log", () => {
  it("is time, level, target, message and fields", async () => {
    const [line = ""] = await logged(
      Effect.logWarning("Reload", "refused", { path: "/etc/a b.yaml", count: 3, ok: false }).pipe(
        Effect.annotateLogs({ target: "config", source: "file" }),
      ),
    )
    const [at = "", ...rest] = line.split("\t")
    assert.match(at, time)
    assert.deepEqual(rest, ["warn", "config", 'Reload refused path="/etc/a b.yaml" count=3 ok=false source=file\n'])
  })

  it("is one JSON object a line where that is asked for", async () => {
    const [line = ""] = await logged(Effect.logInfo('say "hi"\nagain', { n: 1 }), "json")
    const { time: at, ...rest } = JSON.parse(line) as Record<string, unknown>
    assert.match(String(at), time)
    assert.deepEqual(rest, { level: "info", scope: "sluice", message: 'say "hi"\nagain', n: 1 })
    assert.lengthOf(line.split("\n"), 2)
  })

  it("keeps one entry on one line", async () => {
    const lines = await logged(Effect.logInfo("one\n2023-01-01T00:00:00Z\tinfo\tx\ttwo\u001b[31m", { "a\nb": "c\nd" }))
    assert.lengthOf(lines.join("").split("\n"), 2)
    assert.notInclude(lines.join(""), "\u001b")
  })

  it("follows levels that change while it runs", async () => {
    const levels = new Levels({ level: "info", targets: [{ target: "dns", level: "error" }] })
    const lines = await logged(
      Effect.gen(function* () {
        yield* Effect.logDebug("1")
        yield* Effect.logInfo("2")
        yield* Effect.logWarning("3").pipe(Effect.annotateLogs("target", "dns::cache"))
        levels.replace({ level: "trace", targets: [] })
        yield* Effect.logTrace("4")
        yield* Effect.logFatal("5")
        levels.replace({ level: "off", targets: [] })
        yield* Effect.logFatal("6")
      }),
      "text",
      levels,
    )
    assert.deepEqual(
      lines.map((line) => line.split("\t").slice(1).join(" ")),
      ["info sluice 2\n", "trace sluice 4\n", "error sluice 5\n"],
    )
  })

  it("tells a cause as a field", async () => {
    const fail = Effect.fail(new Error("broken")).pipe(
      Effect.catchCause((cause) => Effect.logError("It went wrong", cause)),
    )
    const [line = ""] = await logged(fail)
    assert.match(line, /\terror\tsluice\tIt went wrong error=".*broken/)
    assert.lengthOf(line.split("\n"), 2)
  })

  it("never shows what is redacted", async () => {
    const secret = Redacted.make("s3cret")
    for (const format of ["text", "json"] as const) {
      const lines = await logged(
        Effect.logInfo("a", secret, { secret, deep: { secret } }).pipe(Effect.annotateLogs("one", secret)),
        format,
      )
      assert.lengthOf(lines, 1)
      assert.notInclude(lines.join(""), "s3cret")
      assert.include(lines.join(""), "<redacted>")
    }
  })

  it("survives what cannot be shown", async () => {
    const loop: Record<string, unknown> = {}
    loop["self"] = loop
    const lines = await logged(Effect.logInfo("x", { loop, big: "y".repeat(100_000), bigint: 1n }))
    assert.lengthOf(lines, 1)
    assert.isBelow(lines.join("").length, 20_000)
  })
})
