/** What was asked for on the command line. */
import { parseArgs } from "node:util"
import type { CelAsked } from "./cel.ts"

export interface Usage {
  readonly _tag: "Usage"
  readonly message: string
}

export type Asked =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Version"; readonly short: boolean }
  | { readonly _tag: "Init"; readonly file: string }
  | ({ readonly _tag: "Cel" } & CelAsked)
  | {
      readonly _tag: "Serve"
      readonly file: string | undefined
      readonly text: string | undefined
      readonly validateOnly: boolean
    }
  | { readonly _tag: "Validate"; readonly file: string; readonly json: boolean }
  | {
      readonly _tag: "Explain"
      readonly file: string
      readonly request: string
      readonly headers: ReadonlyArray<string>
      readonly json: boolean
    }

export const subcommands = ["validate", "explain", "cel", "init", "help"] as const

export const help = `sluice — one data plane between agents and everything they call

Usage
  sluice [-f FILE | -c TEXT]              run the gateway; without a configuration, an example that works offline
  sluice validate FILE [--json]           check a configuration and print everything that is wrong with it
  sluice explain FILE --request 'GET http://host/path' [-H 'name: value'] [--json]
                                          which bind, listener, route, policies and backend a request would take, and why not the others
  sluice cel 'EXPRESSION' [--context FILE] [--place PLACE] [--json]
                                          what an expression gives with the variables of a file, its type and what it needs
  sluice init [FILE]                      write a first configuration to change, config.yaml unless named

FILE may be - for standard input. Without errors the exit code is 0; 1 says that the configuration or the start failed,
2 that the command line is wrong.

Options
  -f, --file FILE      configuration file, watched for changes; - reads standard input
  -c, --config TEXT    configuration text
      --validate-only  check the configuration and exit
  -V                   version
      --version        version, with what it runs on
  -h, --help           this text

The configuration, its settings and the environment variables are described in docs/configuration.md.
`

const usage = (message: string): Usage => ({ _tag: "Usage", message })

const readable = (error: unknown): string =>
  (error instanceof Error ? error.message.split(". To specify")[0] : String(error)) ?? ""

/** The file a command is about, named once: by place or by flag. */
const onlyFile = (positionals: ReadonlyArray<string>, flag: string | undefined): string | undefined | Usage => {
  const files = flag === undefined ? positionals : [...positionals, flag]
  return files.length > 1 ? usage(`one file at a time, got ${files.join(", ")}`) : files[0]
}

const parseValidate = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  if (typeof file === "object") return file
  return file === undefined
    ? usage("validate needs a file: sluice validate FILE")
    : { _tag: "Validate", file, json: values.json }
}

const parseExplain = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      request: { type: "string", short: "r" },
      header: { type: "string", short: "H", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  if (typeof file === "object") return file
  if (file === undefined) return usage("explain needs a file: sluice explain FILE --request 'GET http://host/path'")
  if (values.request === undefined) return usage("explain needs --request 'METHOD http://host/path'")
  return { _tag: "Explain", file, request: values.request, headers: values.header, json: values.json }
}

const parseCel = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      context: { type: "string", short: "c" },
      place: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const [expression, ...more] = positionals
  if (expression === undefined) return usage("cel needs an expression: sluice cel '1 + 1'")
  if (more.length > 0) return usage("one expression at a time: put it in quotes")
  return { _tag: "Cel", expression, context: values.context, place: values.place, json: values.json }
}

const parseInit = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals } = parseArgs({ args: [...words], allowPositionals: true, options: {} })
  const file = onlyFile(positionals, undefined)
  return typeof file === "object" ? file : { _tag: "Init", file: file ?? "config.yaml" }
}

const parseServe = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      file: { type: "string", short: "f" },
      config: { type: "string", short: "c" },
      "validate-only": { type: "boolean", default: false },
      V: { type: "boolean", short: "V", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  if (values.V || values.version) return { _tag: "Version", short: values.V }
  const [word] = positionals
  if (word !== undefined) {
    const known = (subcommands as ReadonlyArray<string>).includes(word)
    return usage(
      known
        ? `the command comes first: sluice ${word} …`
        : `unknown command ${JSON.stringify(word)}; the commands are ${subcommands.join(", ")}`,
    )
  }
  if (values.file !== undefined && values.config !== undefined) return usage("only one of --config or --file")
  return { _tag: "Serve", file: values.file, text: values.config, validateOnly: values["validate-only"] }
}

/** Pure: what the words mean, or what is wrong with them. */
export const parse = (words: ReadonlyArray<string>): Asked | Usage => {
  const [first, ...rest] = words
  try {
    switch (first) {
      case "help":
        return { _tag: "Help" }
      case "validate":
        return parseValidate(rest)
      case "explain":
        return parseExplain(rest)
      case "cel":
        return parseCel(rest)
      case "init":
        return parseInit(rest)
      default:
        return parseServe(words)
    }
  } catch (error) {
    return usage(readable(error))
  }
}
