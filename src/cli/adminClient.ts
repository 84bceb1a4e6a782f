/** Asks a running gateway through its admin API. */
import type { Printed } from "./validate.ts"

export interface AdminClient {
  readonly url: string
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Response>
}

/** What went wrong, in words that say what to do. */
export class AdminFailure extends Error {}

const timeoutMillis = 10_000

const unix = "unix:"

const adminUrl = (given: string | undefined, env: NodeJS.ProcessEnv): string => {
  const text = given ?? env["SLUICE_ADMIN"] ?? env["ADMIN_ADDR"] ?? "localhost:15000"
  if (text.startsWith(unix)) return text
  return (/^https?:\/\//.test(text) ? text : `http://${text}`).replace(/\/$/, "")
}

interface Asked {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** As `fetch` does, which knows nothing of sockets that have a path. */
const overSocket = async (socketPath: string, path: string, { body, ...options }: Asked): Promise<Response> => {
  const [{ request }, { Readable }] = await Promise.all([import("node:http"), import("node:stream")])
  return new Promise((resolve, reject) => {
    const asking = request({ ...options, socketPath, path }, (reply) => {
      const { headers, statusCode: status = 0 } = reply
      const fields = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
      resolve(
        new Response(status === 204 ? null : (Readable.toWeb(reply) as ReadableStream), { status, headers: fields }),
      )
    })
    asking.once("error", (cause) => reject(new Error("not reached", { cause })))
    asking.end(body)
  })
}

const asked = (url: string, path: string, options: Asked): Promise<Response> =>
  url.startsWith(unix) ? overSocket(url.slice(unix.length), path, options) : fetch(`${url}${path}`, options)

export const adminClient = (given: string | undefined, env: NodeJS.ProcessEnv): AdminClient => {
  const url = adminUrl(given, env)
  const token = env["SLUICE_ADMIN_TOKEN"]?.trim()
  const headers: Record<string, string> =
    token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }
  return {
    url,
    ask: async (method, path, body) => {
      let reply: Response
      try {
        reply = await asked(url, path, {
          method,
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          // A stream has no end to wait for.
          ...(path.endsWith("/tail") ? {} : { signal: AbortSignal.timeout(timeoutMillis) }),
        })
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
        throw new AdminFailure(
          `no gateway answers at ${url} (${cause}). Start one, or name its admin address with --admin or SLUICE_ADMIN.`,
        )
      }
      if (reply.ok) return reply
      const text = await reply.text()
      throw new AdminFailure(
        reply.status === 401 || reply.status === 403
          ? `${url} wants to know who asks: set SLUICE_ADMIN_TOKEN to the token of the gateway`
          : (messageIn(text) ?? `${url}${path} answered ${reply.status}`),
      )
    },
  }
}

const messageIn = (text: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "string" ? value : undefined
  } catch {
    return text.trim() === "" ? undefined : text.trim()
  }
}

export const done = (out: string): Printed => ({ out, error: "", exitCode: 0 })

/** Runs a command that asks a gateway; what it cannot do is said in one line. */
export const asking = async (work: () => Promise<Printed>): Promise<Printed> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error
    return { out: "", error: `sluice: ${error.message}\n`, exitCode: 1 }
  }
}
