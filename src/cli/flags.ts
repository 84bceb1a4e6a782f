/** What was asked for on the command line. */
import { parseArgs } from "node:util"

export interface Usage {
  readonly _tag: "Usage"
  readonly message: string
}

export type Asked =
  | { readonly _tag: "Help"; readonly topic: string | undefined }
  | { readonly _tag: "Version"; readonly short: boolean }
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

export const subcommands = ["validate", "explain", "help"] as const

export const help = `sluice — one data plane between agents and everything they call

Usage
  sluice [-f FILE | -c TEXT]              run the gateway; without a configuration, an example that works offline
  sluice validate FILE [--json]           check a configuration and print everything that is wrong with it
  sluice explain FILE --request 'GET http://host/path' [-H 'name: value'] [--json]
                                          which bind, listener, route, policies and backend a request would take, and why not the others
Options
  -f, --file FILE      configuration file; - reads standard input
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

/** Pure: what the words mean, or what is wrong with them. */
export const parse = (words: ReadonlyArray<string>): Asked | Usage => {
  const first = words[0]
  if (first === "help") return { _tag: "Help", topic: words[1] }
  try {
    if (first === "validate") {
      const { positionals, values } = parseArgs({
        args: words.slice(1),
        allowPositionals: true,
        options: { json: { type: "boolean", default: false }, file: { type: "string", short: "f" } },
      })
      const file = values.file ?? positionals[0]
      if (file === undefined) return usage("validate needs a file: sluice validate FILE")
      return { _tag: "Validate", file, json: values.json }
    }
    if (first === "explain") {
      const { positionals, values } = parseArgs({
        args: words.slice(1),
        allowPositionals: true,
        options: {
          request: { type: "string", short: "r" },
          header: { type: "string", short: "H", multiple: true, default: [] },
          json: { type: "boolean", default: false },
          file: { type: "string", short: "f" },
        },
      })
      const file = values.file ?? positionals[0]
      if (file === undefined) return usage("explain needs a file: sluice explain FILE --request 'GET http://host/path'")
      if (values.request === undefined) return usage("explain needs --request 'METHOD http://host/path'")
      return { _tag: "Explain", file, request: values.request, headers: values.header, json: values.json }
    }
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
    if (values.help) return { _tag: "Help", topic: undefined }
    if (values.V || values.version) return { _tag: "Version", short: values.V }
    if (positionals.length > 0) {
      return usage(`unknown command ${JSON.stringify(positionals[0])}; the commands are ${subcommands.join(", ")}`)
    }
    if (values.file !== undefined && values.config !== undefined) {
      return usage("only one of --config or --file")
    }
    return { _tag: "Serve", file: values.file, text: values.config, validateOnly: values["validate-only"] }
  } catch (error) {
    return usage(readable(error))
  }
}
