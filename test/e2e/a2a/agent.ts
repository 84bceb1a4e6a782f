/** Agents made with the public SDK, which speak exactly what they are told to. */
import type { AgentCard, AgentInterface, SendMessageRequest } from "@a2a-js/sdk"
import { createLegacyAwarePushNotificationSender } from "@a2a-js/sdk/compat/v0_3/server"
import { LegacyA2AService, legacyGrpcService } from "@a2a-js/sdk/compat/v0_3/server/grpc"
import { ContentTypeNotSupportedError } from "@a2a-js/sdk/errors"
import {
  type AgentExecutor,
  DefaultRequestHandler,
  InMemoryPushNotificationStore,
  InMemoryTaskStore,
  ServerCallContext,
} from "@a2a-js/sdk/server"
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from "@a2a-js/sdk/server/express"
import { A2AService, grpcService } from "@a2a-js/sdk/server/grpc"
import * as grpc from "@grpc/grpc-js"
import express from "express"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { Binding, Version } from "../../../protocols/a2a/operation.ts"
import { Behaviour, type BehaviourOptions } from "./Behaviour.ts"

export interface Interface {
  readonly binding: Binding
  readonly version: Version
}

export const everyInterface: ReadonlyArray<Interface> = (["1.0", "0.3"] as const).flatMap((version) =>
  (["JSONRPC", "HTTP+JSON", "GRPC"] as const).map((binding) => ({ binding, version })),
)

export interface AgentWords extends BehaviourOptions {
  readonly speaks?: ReadonlyArray<Interface>
  /** Where the agent believes it is, instead of where it is. */
  readonly at?: string
  readonly card?: Partial<AgentCard>
  /** Does the work instead of the behaviour. */
  readonly executor?: AgentExecutor
}

export interface Agent {
  readonly port: number
  readonly grpcPort: number
  readonly card: AgentCard
  readonly behaviour: Behaviour
  /** Method and path of every HTTP request it got. */
  readonly asked: Array<string>
  /** Those that did not come through a gateway of ours, cards aside, which it fetches for itself. */
  readonly around: Array<string>
  /** Where it is to notify of a task, and how it proves who it is. */
  readonly webhooks: (taskId: string) => Promise<ReadonlyArray<string>>
  readonly tokenFor: (taskId: string) => Promise<string>
  readonly close: () => Promise<void>
}

/** The kit sends a file of this type to an agent that must not take it; the SDK itself takes everything. */
const untaken = "application/x-unsupported"

class Picky extends DefaultRequestHandler {
  override sendMessage(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): ReturnType<DefaultRequestHandler["sendMessage"]> {
    if (params.message?.parts.some(({ mediaType }) => mediaType.startsWith(untaken)) === true) {
      throw new ContentTypeNotSupportedError()
    }
    return super.sendMessage(params, context)
  }
}

export const startAgent = async (words: AgentWords = {}): Promise<Agent> => {
  const speaks = words.speaks ?? everyInterface
  const behaviour = new Behaviour(words)
  const asked: Array<string> = []
  const around: Array<string> = []
  const app = express()
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const isCard = request.url?.startsWith("/.well-known/") ?? false
    if (!isCard && !/\bsluice\b/.test(String(request.headers.via))) around.push(`${request.method} ${request.url}`)
    app(request, response)
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const grpcServer = new grpc.Server()
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpcServer.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  const origin = words.at ?? `http://127.0.0.1:${port}`
  const urls: Readonly<Record<Binding, string>> = {
    JSONRPC: `${origin}/a2a/jsonrpc`,
    "HTTP+JSON": `${origin}/a2a/rest`,
    GRPC: `127.0.0.1:${grpcPort}`,
  }
  const card: AgentCard = {
    name: "Sample agent",
    description: "Does what it is told",
    version: "1.0.0",
    supportedInterfaces: speaks.map(({ binding, version }): AgentInterface => ({
      url: urls[binding],
      protocolBinding: binding,
      protocolVersion: version,
      tenant: "",
    })),
    provider: { organization: "Tests", url: "https://example.com" },
    documentationUrl: undefined,
    iconUrl: undefined,
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true, extensions: [] },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [
      {
        id: "echo",
        name: "Echo",
        description: "Says it again",
        tags: ["test"],
        examples: [],
        inputModes: [],
        outputModes: [],
        securityRequirements: [],
      },
    ],
    signatures: [],
    ...words.card,
  }
  const pushStore = new InMemoryPushNotificationStore()
  const requestHandler = new Picky(
    card,
    new InMemoryTaskStore(),
    words.executor ?? behaviour,
    undefined,
    pushStore,
    createLegacyAwarePushNotificationSender(pushStore),
    { ...card, description: "Does what it is told, to those it knows" },
  )
  const legacyCompat = { enabled: speaks.some(({ version }) => version === "0.3") }
  const userBuilder = UserBuilder.noAuthentication
  app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: requestHandler, legacyCompat }))
  app.use("/a2a/jsonrpc", jsonRpcHandler({ requestHandler, userBuilder, legacyCompat }))
  app.use("/a2a/rest", restHandler({ requestHandler, userBuilder, legacyCompat }))
  grpcServer.addService(A2AService, grpcService({ requestHandler, userBuilder }))
  grpcServer.addService(LegacyA2AService, legacyGrpcService({ requestHandler, userBuilder }))
  return {
    port,
    grpcPort,
    card,
    behaviour,
    asked,
    around,
    webhooks: async (taskId) => (await pushStore.load(taskId, new ServerCallContext())).map(({ url }) => url),
    tokenFor: async (taskId) => (await pushStore.load(taskId, new ServerCallContext()))[0]?.token ?? "",
    close: async () => {
      grpcServer.forceShutdown()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
