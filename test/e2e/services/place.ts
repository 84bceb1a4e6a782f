/** A gateway from a file, an upstream behind it, and external services beside it. */
import * as http from "node:http"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { loadedOf } from "../../config/memoryIo.ts"
import { type HttpUpstream, httpUpstream, type Started, startGateway } from "../harness.ts"

export type Closing = Array<() => unknown>

/** Loads a file, and lets every bind take a port that is free. */
export const snapshotOf = async (text: string, files: Readonly<Record<string, string>> = {}): Promise<Snapshot> => {
  const { snapshot } = await loadedOf(text, { files })
  const binds = [...snapshot.binds].map(
    ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  return { ...snapshot, binds: new Map(binds) }
}

export interface Reached {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly trailers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Got {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export type Asked = http.RequestOptions & { readonly body?: string | Buffer }

export const ask = (url: string, { body, ...options }: Asked = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, ...options }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => (text += chunk))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      response.on("error", reject)
    })
    request.on("error", reject)
    request.end(body)
  })

export interface Place {
  readonly gateway: Started
  readonly backend: HttpUpstream
  readonly send: (path: string, asked?: Asked) => Promise<Got>
  /** What the upstream saw of a request that passed. */
  readonly reached: (path: string, asked?: Asked) => Promise<Reached>
}

/** One route to an upstream that says what it was asked; `policies` are those of the route, in YAML, one line each. */
export const start = async (
  closing: Closing,
  policies: string,
  options: {
    readonly upstream?: http.RequestListener
    readonly frontend?: string
    /** Policies of the whole gateway, which act before a route is chosen. */
    readonly gateway?: string
    /** When those act; before a route is chosen unless set. */
    readonly phase?: "gateway" | "route"
    /** Policies of the backend. */
    readonly target?: string
    /** What the policies name by its path. */
    readonly files?: Readonly<Record<string, string>>
  } = {},
): Promise<Place> => {
  const backend = await httpUpstream(options.upstream)
  closing.push(backend.close)
  const text = `
${options.frontend === undefined ? "" : `frontendPolicies:\n${indented(options.frontend, 2)}`}
gateways: {default: {port: 1}}
${
  options.gateway === undefined
    ? ""
    : `policies:
- name: {name: all, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  phase: ${options.phase ?? "gateway"}
  policy:
${indented(options.gateway, 4)}`
}
routes:
- policies:
${indented(policies, 4)}
  backends:
  - host: 127.0.0.1:${backend.port}
${options.target === undefined ? "" : `    policies:\n${indented(options.target, 6)}`}
`
  const gateway = await startGateway(await snapshotOf(text, options.files))
  closing.push(gateway.close)
  const send: Place["send"] = (path, request) => ask(`http://127.0.0.1:${gateway.port}${path}`, request)
  return {
    gateway,
    backend,
    send,
    reached: async (path, request) => {
      const { body, status } = await send(path, request)
      if (status !== 200) throw new Error(`${status}: ${body}`)
      return JSON.parse(body) as Reached
    },
  }
}

const indented = (text: string, by: number): string =>
  text
    .split("\n")
    .map((line) => " ".repeat(by) + line)
    .join("\n")
