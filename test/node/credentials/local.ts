/** Servers that stand for those of the clouds, and an environment that knows of nothing else. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

export interface Said {
  readonly status?: number
  readonly body?: unknown
  readonly text?: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface LocalServer {
  readonly url: string
  readonly port: number
  readonly requests: Array<Asked>
  readonly close: () => Promise<void>
}

export const localServer = async (answer: (request: Asked) => Said | Promise<Said>): Promise<LocalServer> => {
  const requests: Array<Asked> = []
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const asked: Asked = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks),
      }
      requests.push(asked)
      void Promise.resolve(answer(asked)).then(({ body, headers, status = 200, text, type }) => {
        const isText = text !== undefined
        response.writeHead(status, { "content-type": type ?? (isText ? "text/plain" : "application/json"), ...headers })
        response.end(isText ? text : JSON.stringify(body))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Replaces what the clouds' libraries look at; the result puts it back. */
export const withEnvironment = (values: Readonly<Record<string, string>>): (() => void) => {
  const concerned = /^(?:AWS_|AZURE_|GOOGLE_|GCE_|GCLOUD_|IDENTITY_|MSI_|METADATA_|IMDS_|CLOUDSDK_)/
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (concerned.test(name)) delete process.env[name]
  Object.assign(process.env, values)
  return () => {
    for (const name of Object.keys(process.env)) if (concerned.test(name)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
