/** The command line: `sluice --help` says it all. */
import { enableCompileCache } from "node:module"
import { parse, type Asked, help } from "./cli/flags.ts"
import { inputOf } from "./cli/input.ts"
import { versionText } from "./cli/version.ts"

enableCompileCache()

const say = (text: string): void => void process.stdout.write(text)
const complain = (text: string): void => void process.stderr.write(text)

const printed = ({
  error,
  exitCode,
  out,
}: {
  readonly out: string
  readonly error: string
  readonly exitCode: number
}): void => {
  say(out)
  complain(error)
  process.exitCode = exitCode
}

const serve = async (asked: Extract<Asked, { _tag: "Serve" }>): Promise<void> => {
  const input = inputOf(asked, process.env)
  if ("_tag" in input) return printed({ out: "", error: `sluice: ${input.message}\n`, exitCode: 1 })
  const { run } = await import("./cli/run.ts")
  run(input)
}

const validateOnly = async (asked: Extract<Asked, { _tag: "Serve" }>): Promise<void> => {
  const { validateText } = await import("./cli/validate.ts")
  const input = inputOf(asked, { ...process.env, SLUICE_SAMPLE_PORT: "1" })
  if ("_tag" in input) return printed({ out: "", error: `sluice: ${input.message}\n`, exitCode: 1 })
  printed(await validateText(input, { ...process.env, SLUICE_SAMPLE_PORT: "1" }))
}

const asked = parse(process.argv.slice(2))
switch (asked._tag) {
  case "Usage":
    printed({ out: "", error: `sluice: ${asked.message}\nTry sluice --help.\n`, exitCode: 2 })
    break
  case "Help":
    say(help)
    break
  case "Version":
    say(`${versionText(asked.short)}\n`)
    break
  case "Validate": {
    const { validate } = await import("./cli/validate.ts")
    printed(await validate(asked.file, asked.json, process.env))
    break
  }
  case "Explain": {
    const explain = await import("./cli/explain.ts")
    printed(await explain.run(asked.file, asked.request, asked.headers, asked.json, process.env))
    break
  }
  case "Serve":
    await (asked.validateOnly ? validateOnly(asked) : serve(asked))
}
