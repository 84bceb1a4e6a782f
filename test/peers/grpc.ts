/** Servers of gRPC that are not ours: another implementation of the protocol and of protobuf. */
import * as grpc from "@grpc/grpc-js"
import { loadSync } from "@grpc/proto-loader"

export interface GrpcServer {
  readonly port: number
  readonly server: grpc.Server
  /** Ends it at once, calls included. */
  readonly close: () => void
}

const folder = new URL("../../protocols/grpc/proto/", import.meta.url).pathname

/** The description of a service, read from its file by another library than ours. */
export const serviceOf = (file: string, name: string, includes: ReadonlyArray<string> = []): grpc.ServiceDefinition => {
  const found = loadSync(file, {
    includeDirs: [...includes, folder],
    longs: Number,
    enums: String,
    oneofs: true,
    defaults: true,
  })[name]
  if (found === undefined || "format" in found) throw new Error(`${name} is no service of ${file}`)
  return found as grpc.ServiceDefinition
}

export const grpcServer = async (
  services: ReadonlyArray<readonly [grpc.ServiceDefinition, grpc.UntypedServiceImplementation]>,
  credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
): Promise<GrpcServer> => {
  const server = new grpc.Server()
  for (const [definition, implementation] of services) server.addService(definition, implementation)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  )
  return { port, server, close: () => server.forceShutdown() }
}

export * as grpc from "@grpc/grpc-js"
