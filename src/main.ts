/** The command line: `sluice --help` says it all. */
import { parse, type Asked, help, helpAbout } from "./cli/flags.ts"
import { inputOf } from "./cli/input.ts"
import { versionText } from "./cli/version.ts"
import { keepIn, settings } from "./node/compileCache.ts"

const { NODE_COMPILE_CACHE: compiled } = settings(process.env)
if (compiled !== undefined) keepIn(compiled)

interface Printed {
  readonly out: string
  readonly error: string
  readonly exitCode: number
}

/** Whoever reads may have gone already, as `head` does. */
const write = (stream: NodeJS.WriteStream, text: string): void => {
  if (text === "") return
  stream.on("error", () => {})
  stream.write(text)
}

const print = ({ error, exitCode, out }: Printed): void => {
  write(process.stdout, out)
  write(process.stderr, error)
  process.exitCode = exitCode
}

const failed = (message: string, exitCode = 1): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode })

const succeeded = (out: string): Printed => ({ out, error: "", exitCode: 0 })

const serve = async (asked: Extract<Asked, { _tag: "Serve" }>): Promise<Printed | undefined> => {
  const input = inputOf(asked, process.env)
  if ("_tag" in input) return failed(input.message)
  if (asked.validateOnly) {
    const { validateInput } = await import("./cli/validate.ts")
    return validateInput(input, process.env)
  }
  const { begin } = await import("./cli/begin.ts")
  const begun = await begin(input, process.env)
  const { run } = await import("./cli/run.ts")
  run(begun)
  return undefined
}

const answer = async (asked: ReturnType<typeof parse>): Promise<Printed | undefined> => {
  switch (asked._tag) {
    case "Usage":
      return failed(`${asked.message}\nTry sluice --help.`, 2)
    case "Help":
      return succeeded(asked.about === undefined ? help : helpAbout(asked.about))
    case "Version":
      return succeeded(`${versionText(asked.short)}\n`)
    case "Validate": {
      const { validate } = await import("./cli/validate.ts")
      return validate(asked.file, asked.json, process.env)
    }
    case "Explain": {
      const { explain } = await import("./cli/explain.ts")
      return explain(asked.file, asked.request, asked.headers, asked.json, process.env)
    }
    case "Cel": {
      const { cel } = await import("./cli/cel.ts")
      return cel(asked)
    }
    case "Keys": {
      const { keys } = await import("./cli/keys.ts")
      return keys(asked, process.env)
    }
    case "Init": {
      const { init } = await import("./cli/init.ts")
      return init(asked.file)
    }
    case "Story": {
      const { story } = await import("./cli/story.ts")
      return story(asked.id, asked.admin, asked.json, process.env)
    }
    case "Stories": {
      const { latest } = await import("./cli/story.ts")
      return latest(asked.count, asked.admin, asked.json, process.env)
    }
    case "Status": {
      const { status } = await import("./cli/status.ts")
      return status(asked.admin, asked.json, process.env)
    }
    case "Lock": {
      const { lock } = await import("./cli/lock.ts")
      return lock(asked, process.env)
    }
    case "Logs": {
      const { logs } = await import("./cli/logs.ts")
      return logs(asked, process.env, (text) => write(process.stdout, text))
    }
    case "Doctor": {
      const { doctor } = await import("./cli/doctor.ts")
      return doctor(asked.file, asked.admin, asked.json, process.env)
    }
    case "Connect": {
      const { connect } = await import("./cli/connect.ts")
      return connect(asked, process.env)
    }
    case "Import": {
      const { importFrom } = await import("./cli/import.ts")
      return importFrom(asked.from, asked.file, asked.to, process.env)
    }
    case "Serve":
      return serve(asked)
  }
}

void answer(parse(process.argv.slice(2))).then((printed) => printed === undefined || print(printed))
