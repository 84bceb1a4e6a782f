/** What a client can ask an agent to do, and what each protocol calls it. */

export type Version = "1.0" | "0.3"
export type Binding = "JSONRPC" | "HTTP+JSON" | "GRPC"

/** One way of speaking. */
export interface Dialed {
  readonly binding: Binding
  readonly version: Version
}

export type Operation =
  | "SendMessage"
  | "SendStreamingMessage"
  | "GetTask"
  | "ListTasks"
  | "CancelTask"
  | "SubscribeToTask"
  | "CreateTaskPushNotificationConfig"
  | "GetTaskPushNotificationConfig"
  | "ListTaskPushNotificationConfigs"
  | "DeleteTaskPushNotificationConfig"
  | "GetExtendedAgentCard"

interface Names {
  /** JSON-RPC method and gRPC method of 0.3; absent where 0.3 has no such thing. */
  readonly legacyMethod?: string
  readonly legacyRpc?: string
  readonly streams: boolean
}

/** In JSON-RPC and gRPC of 1.0 every operation goes by its own name. */
export const operations: Readonly<Record<Operation, Names>> = {
  SendMessage: { legacyMethod: "message/send", legacyRpc: "SendMessage", streams: false },
  SendStreamingMessage: { legacyMethod: "message/stream", legacyRpc: "SendStreamingMessage", streams: true },
  GetTask: { legacyMethod: "tasks/get", legacyRpc: "GetTask", streams: false },
  ListTasks: { streams: false },
  CancelTask: { legacyMethod: "tasks/cancel", legacyRpc: "CancelTask", streams: false },
  SubscribeToTask: { legacyMethod: "tasks/resubscribe", legacyRpc: "TaskSubscription", streams: true },
  CreateTaskPushNotificationConfig: {
    legacyMethod: "tasks/pushNotificationConfig/set",
    legacyRpc: "CreateTaskPushNotificationConfig",
    streams: false,
  },
  GetTaskPushNotificationConfig: {
    legacyMethod: "tasks/pushNotificationConfig/get",
    legacyRpc: "GetTaskPushNotificationConfig",
    streams: false,
  },
  ListTaskPushNotificationConfigs: {
    legacyMethod: "tasks/pushNotificationConfig/list",
    legacyRpc: "ListTaskPushNotificationConfig",
    streams: false,
  },
  DeleteTaskPushNotificationConfig: {
    legacyMethod: "tasks/pushNotificationConfig/delete",
    legacyRpc: "DeleteTaskPushNotificationConfig",
    streams: false,
  },
  GetExtendedAgentCard: {
    legacyMethod: "agent/getAuthenticatedExtendedCard",
    legacyRpc: "GetAgentCard",
    streams: false,
  },
}

const all = Object.keys(operations) as ReadonlyArray<Operation>

const byName = (nameOf: (operation: Operation) => string | undefined): ReadonlyMap<string, Operation> =>
  new Map(
    all.flatMap((operation) => {
      const name = nameOf(operation)
      return name === undefined ? [] : [[name, operation] as const]
    }),
  )

const methods: Readonly<Record<Version, ReadonlyMap<string, Operation>>> = {
  "1.0": byName((operation) => operation),
  "0.3": byName((operation) => operations[operation].legacyMethod),
}
const rpcs: Readonly<Record<Version, ReadonlyMap<string, Operation>>> = {
  "1.0": methods["1.0"],
  "0.3": byName((operation) => operations[operation].legacyRpc),
}

export const ofMethod = (version: Version, method: string): Operation | undefined => methods[version].get(method)
export const ofRpc = (version: Version, rpc: string): Operation | undefined => rpcs[version].get(rpc)

export const methodOf = (version: Version, operation: Operation): string | undefined =>
  version === "1.0" ? operation : operations[operation].legacyMethod

export const rpcOf = (version: Version, operation: Operation): string | undefined =>
  version === "1.0" ? operation : operations[operation].legacyRpc

export const grpcService: Readonly<Record<Version, string>> = {
  "1.0": "lf.a2a.v1.A2AService",
  "0.3": "a2a.v1.A2AService",
}

/** Whether a way of speaking has words for an operation; only 0.3 lacks one, the list of tasks. */
export const canSay = ({ version }: Dialed, operation: Operation): boolean =>
  version === "1.0" || operations[operation].legacyMethod !== undefined

/** A question, with its parameters as 1.0 writes them in JSON. */
export interface Call {
  readonly operation: Operation
  readonly params: Readonly<Record<string, unknown>>
}
