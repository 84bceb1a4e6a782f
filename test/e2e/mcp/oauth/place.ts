/** A gateway in front of a server that wants tokens, the authorization server that gives them, and people with browsers. */
import type { GatewayOptions } from "../../../../src/Gateway.ts"
import { answerOf, ask, type Json, type McpGateway, mcpGateway, type Said } from "../harness.ts"
import { type AuthOptions, type AuthServer, authorizationServer } from "./authorizationServer.ts"
import { Browser } from "./browser.ts"
import { type Resource, type ResourceOptions, resourceServer } from "./resource.ts"

export interface Place {
  readonly auth: AuthServer
  readonly server: Resource
  readonly gateway: McpGateway
}

export interface Words {
  readonly resource?: Partial<ResourceOptions>
  readonly auth?: AuthOptions
  /** Of the target's `oauth`. */
  readonly oauth?: string
  /** Of the backend. */
  readonly backend?: string
  readonly policies?: string
  readonly options?: Partial<GatewayOptions>
}

/** Nobody waits for connections that clients keep. */
const drain = { minMillis: 0, maxMillis: 200 }

export const places = () => {
  const closing: Array<() => Promise<unknown>> = []
  const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
    closing.push(() => one.close())
    return one
  }
  const gatewayFor = async (server: Resource, words: Words): Promise<McpGateway> => {
    const { backend = "", oauth = "", options = {}, policies = "" } = words
    const target = `{name: notes, mcp: {host: "${server.url}"}, oauth: {${oauth}}}`
    return closed(
      await mcpGateway(`{targets: [${target}]${backend === "" ? "" : `, ${backend}`}}`, {
        policies,
        options: { drain, ...options },
      }),
    )
  }
  return {
    closed,
    gatewayFor,
    start: async (words: Words = {}): Promise<Place> => {
      const auth = closed(await authorizationServer(words.auth))
      const server = closed(await resourceServer(auth, { era: "modern", ...words.resource }))
      return { auth, server, gateway: await gatewayFor(server, words) }
    },
    closeAll: async (): Promise<void> => {
      for (const close of closing.splice(0).toReversed()) await close()
    },
  }
}

/** Two people, who show their names and passwords, programs and browsers alike. */
export const people =
  '{basicAuth: {mode: strict, htpasswd: "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}'
export const basic = (name: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:password`).toString("base64")}`,
})

export const browserOf = (
  { auth, gateway }: Pick<Place, "auth" | "gateway">,
  name: string,
  isKnown = false,
): Browser => {
  const browser = new Browser()
  browser.set(auth.url, "as_user", name)
  if (isKnown) browser.headers[new URL(gateway.url).host] = basic(name)
  return browser
}

export const textOf = (said: Said): string => {
  const { error, result } = answerOf(said)
  const [first] = (result?.["content"] ?? []) as ReadonlyArray<{ text: string }>
  return first?.text ?? JSON.stringify(error ?? result)
}

export const call = (
  { gateway }: Pick<Place, "gateway">,
  name: string,
  headers: Record<string, string> = {},
  more: Json = {},
): Promise<Said> => ask(gateway.url, "tools/call", { name, arguments: {}, ...more }, { headers })

/** The link in what a client was told in words. */
export const linkIn = (said: Said): string => {
  const link = /http\S+/.exec(textOf(said))?.[0]
  if (link === undefined) throw new Error(`no link: ${textOf(said)}`)
  return link
}
