/** The same server in every generation and over every transport. */
import * as path from "node:path"
import { type Options, type Running, serve } from "../../conformance/mcp/serve.ts"

export type Started = Pick<Running, "close"> & { readonly target: string }

const overHttp = (options: Options) => async (): Promise<Started> => {
  const { close, url } = await serve(options)
  return { close, target: `${options.transport === "sse" ? "sse" : "mcp"}: {host: "${url}"}` }
}

const program = path.join(import.meta.dirname, "../../conformance/mcp/serve.ts")

const pipes = (era: "legacy" | "modern") => (): Promise<Started> => {
  const args = [program, "--transport", "stdio", "--era", era, "--style", era === "legacy" ? "push" : "write-once"]
  const target = `stdio: {cmd: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify(args)}}, protocol: ${era}`
  return Promise.resolve({ close: () => Promise.resolve(), target })
}

export const servers: Readonly<Record<string, () => Promise<Started>>> = {
  "a server with sessions": overHttp({ transport: "http", era: "legacy", style: "push", port: 0 }),
  "a server without sessions": overHttp({ transport: "http", era: "modern", style: "write-once", port: 0 }),
  "a server of HTTP+SSE": overHttp({ transport: "sse", era: "legacy", style: "push", port: 0 }),
  "a server with sessions behind pipes": pipes("legacy"),
  "a server without sessions behind pipes": pipes("modern"),
}
