/** A gateway from a few lines of a file, and what clients of the public SDK need to talk to it. */
import { AgentCard } from "@a2a-js/sdk"
import { type Client, ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client"
import { GrpcTransportFactory } from "@a2a-js/sdk/client/grpc"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { formatAll } from "../../../src/config/ConfigIssue.ts"
import { load } from "../../../src/config/local/load.ts"
import { nodeIo } from "../../../src/config/local/nodeIo.ts"
import type { Binding, Dialed } from "../../../protocols/a2a/operation.ts"
import { startGateway, type Started } from "../harness.ts"

/** The routes of a file; the gateway listens on a port that is free unless it is told which. */
export const gatewayFor = async (
  text: string,
  options: Parameters<typeof startGateway>[1] = {},
  port = 0,
): Promise<Started> => {
  const file = `gateways: {default: {port: 1}}\n${text}`
  const result = await Effect.runPromise(Effect.result(load(file, { file: "test.yaml", env: {}, io: nodeIo, cpus: 1 })))
  if (Result.isFailure(result)) throw new Error(formatAll(result.failure, "test.yaml"))
  const { snapshot } = result.success
  const binds = new Map(
    [...snapshot.binds].map(([key, bind]) => [
      key,
      { ...bind, address: { _tag: "Ip" as const, host: "127.0.0.1", port } },
    ]),
  )
  return startGateway({ ...snapshot, binds }, options)
}

const legacyCompat = { enabled: true }

/** A client that takes only one binding of what a card offers. */
export const clientOf = (url: string, binding: Binding): Promise<Client> =>
  new ClientFactory({
    transports: [
      binding === "JSONRPC"
        ? new JsonRpcTransportFactory({ legacyCompat })
        : binding === "HTTP+JSON"
          ? new RestTransportFactory({ legacyCompat })
          : new GrpcTransportFactory({ legacyCompat }),
    ],
  }).createFromUrl(url, "")

export interface Posted {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  readonly text: string
}

export const ask = async (
  method: string,
  url: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Posted> => {
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  return { status: response.status, headers: response.headers, body: parsed, text }
}

/** A client that speaks one way only, by a card that was asked for at the gateway and offers everything. */
export const clientSpeaking = async (root: string, { binding, version }: Dialed): Promise<Client> => {
  const { body } = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, { "a2a-version": "1.0" })
  const card = AgentCard.fromJSON(body as never)
  const only = card.supportedInterfaces.filter(
    (one) => one.protocolBinding === binding && one.protocolVersion === version,
  )
  if (only.length === 0) throw new Error(`the card does not offer ${binding} ${version}`)
  return new ClientFactory({
    transports: [
      new JsonRpcTransportFactory({ legacyCompat }),
      new RestTransportFactory({ legacyCompat }),
      new GrpcTransportFactory({ legacyCompat }),
    ],
  }).createFromAgentCard({ ...card, supportedInterfaces: only })
}

/** A client that has been told by hand where the agent is, for agents that have no card. */
export const clientAt = (root: string, { binding, version }: Dialed): Promise<Client> => {
  const card = {
    name: "one",
    description: "one",
    version: "1",
    supportedInterfaces: [
      {
        url: binding === "GRPC" ? root.slice("http://".length) : root,
        protocolBinding: binding,
        protocolVersion: version,
        tenant: "",
      },
    ],
    capabilities: { streaming: true, extensions: [] },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: [],
    defaultOutputModes: [],
    skills: [],
    signatures: [],
  } as unknown as AgentCard
  return new ClientFactory({
    transports: [
      new JsonRpcTransportFactory({ legacyCompat }),
      new RestTransportFactory({ legacyCompat }),
      new GrpcTransportFactory({ legacyCompat }),
    ],
  }).createFromAgentCard(card)
}
