/** An MCP server that wants tokens of an authorization server, and says for whom it works. */
import type { AuthServer } from "./authorizationServer.ts"
import { legacy, modern, type Script, type Scripted, scripted, type Turn } from "../harness.ts"

export interface ResourceOptions {
  readonly era: "legacy" | "modern"
  /** The description of the resource; undefined: there is none. */
  readonly metadata?: (url: string) => Record<string, unknown> | undefined
  /** Parts of the challenge; unless set, where the description is. */
  readonly challenge?: (url: string) => string
  /** What a call needs beside a token. */
  readonly scopeFor?: (method: string, name: string | undefined) => string | undefined
  /** Whether a request needs a token at all. */
  readonly open?: (method: string) => boolean
}

export interface Resource extends Scripted {
  /** The `Authorization` of every request that was let in, with the person it was for. */
  readonly served: Array<{ readonly method: string; readonly user: string; readonly token: string }>
  readonly refused: Array<string>
}

export const resourceServer = async (auth: AuthServer, options: ResourceOptions): Promise<Resource> => {
  const served: Resource["served"] = []
  const refused: Array<string> = []
  let server: Scripted | undefined
  const own = (): string => (server as Scripted).url
  const origin = (): string => new URL(own()).origin
  const answer: Script = ({ error, message, result }: Turn) => {
    switch (message.method) {
      case "tools/list":
        return result({
          resultType: "complete",
          ttlMs: 0,
          cacheScope: "private",
          tools: [
            { name: "whoami", inputSchema: { type: "object" } },
            { name: "admin", inputSchema: { type: "object" } },
          ],
        })
      case "tools/call": {
        const user = served.at(-1)?.user ?? ""
        return ["whoami", "admin"].includes(message.params?.["name"] as string)
          ? result({ resultType: "complete", content: [{ type: "text", text: `you are ${user}` }] })
          : error(-32_602, "Unknown tool")
      }
      case "prompts/list":
        return result({ resultType: "complete", prompts: [] })
      case "resources/list":
        return result({ resultType: "complete", resources: [] })
      default:
        return error(-32_601, "Method not found")
    }
  }
  const inner = options.era === "legacy" ? legacy(answer) : modern(answer)
  const script: Script = (turn) => {
    const { headers, message, response } = turn
    const method = message.method ?? "answer"
    if (options.open?.(method) === true) return inner(turn)
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1]
    const facts = token === undefined ? undefined : auth.tokens.get(token)
    const challenge =
      options.challenge?.(origin()) ?? `resource_metadata="${origin()}/.well-known/oauth-protected-resource/mcp"`
    if (facts === undefined || token === undefined) {
      refused.push(method)
      response.writeHead(401, {
        "www-authenticate": `Bearer ${token === undefined ? "" : 'error="invalid_token", '}${challenge}`,
      })
      return response.end()
    }
    const scope = options.scopeFor?.(method, message.params?.["name"] as string | undefined)
    if (scope !== undefined && !facts.scope.split(" ").includes(scope)) {
      refused.push(method)
      response.writeHead(403, {
        "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}", ${challenge}`,
      })
      return response.end()
    }
    served.push({ method, user: facts.user, token })
    return inner(turn)
  }
  server = await scripted(script, (request, response) => {
    if (request.url?.startsWith("/.well-known/oauth-protected-resource") === true) {
      const described =
        options.metadata === undefined
          ? { resource: own(), authorization_servers: [auth.url] }
          : options.metadata(own())
      if (described === undefined) return response.writeHead(404).end()
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(described))
    }
    return response.writeHead(405).end()
  })
  return Object.assign(server, { served, refused })
}
