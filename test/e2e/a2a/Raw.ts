/** A client of 1.0 that says what it is told to in the bytes of each binding, and hides nothing of what comes back. */
import * as grpc from "@grpc/grpc-js"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Binding, grpcService, type Operation } from "../../../protocols/a2a/operation.ts"

export interface Failed {
  /** A number of JSON-RPC, a status of HTTP, or the name of a status of gRPC. */
  readonly code: unknown
  readonly reason: unknown
  readonly domain: unknown
  readonly message: unknown
}

export type Told =
  | { readonly result: Fields; readonly failed?: undefined }
  | { readonly failed: Failed; readonly result?: undefined }

export interface Events {
  readonly contentType: string | undefined
  /** The next event; undefined: the stream is over. */
  readonly next: () => Promise<Fields | undefined>
  /** Everything until the stream is over. */
  readonly rest: () => Promise<Array<Fields>>
  readonly close: () => void
}

export type Headers = Readonly<Record<string, string>>

export interface Raw {
  readonly call: (operation: Operation, params: Fields, headers?: Headers) => Promise<Told>
  readonly stream: (operation: Operation, params: Fields, headers?: Headers) => Promise<Events | { failed: Failed }>
  readonly close: () => void
}

const modern = { "a2a-version": "1.0" }

const infoIn = (details: unknown): Fields =>
  fieldsOf(listOf(details).find((one) => String(fieldsOf(one)["@type"]).endsWith("google.rpc.ErrorInfo")))

const failedWith = (code: unknown, message: unknown, details: unknown): Failed => {
  const { domain, reason } = infoIn(details)
  return { code, reason, domain, message }
}

const toBody = (params: Fields, ...without: ReadonlyArray<string>): Fields =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !without.includes(name)))

const toQuery = (params: Fields): string => {
  const query = new URLSearchParams(Object.entries(params).map(([name, value]) => [name, String(value)]))
  return query.size === 0 ? "" : `?${query}`
}

/** What each operation is over HTTP. */
const rests: Readonly<Record<Operation, (params: Fields) => readonly [verb: string, path: string, body?: Fields]>> = {
  SendMessage: (params) => ["POST", "/message:send", params],
  SendStreamingMessage: (params) => ["POST", "/message:stream", params],
  GetTask: (params) => ["GET", `/tasks/${params["id"]}${toQuery(toBody(params, "id"))}`],
  ListTasks: (params) => ["GET", `/tasks${toQuery(params)}`],
  CancelTask: (params) => ["POST", `/tasks/${params["id"]}:cancel`, toBody(params, "id")],
  SubscribeToTask: (params) => ["POST", `/tasks/${params["id"]}:subscribe`],
  CreateTaskPushNotificationConfig: (params) => [
    "POST",
    `/tasks/${params["taskId"]}/pushNotificationConfigs`,
    toBody(params, "taskId"),
  ],
  GetTaskPushNotificationConfig: (params) => [
    "GET",
    `/tasks/${params["taskId"]}/pushNotificationConfigs/${params["id"]}`,
  ],
  ListTaskPushNotificationConfigs: (params) => ["GET", `/tasks/${params["taskId"]}/pushNotificationConfigs`],
  DeleteTaskPushNotificationConfig: (params) => [
    "DELETE",
    `/tasks/${params["taskId"]}/pushNotificationConfigs/${params["id"]}`,
  ],
  GetExtendedAgentCard: () => ["GET", "/extendedAgentCard"],
}

const jsonOf = (text: string): unknown => (text === "" ? {} : JSON.parse(text))

const eventsIn = (response: Response, read: (data: unknown) => Fields): Events => {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  let searched = 0
  const next = async (): Promise<Fields | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n", searched)
      if (end >= 0) {
        const event = text.slice(0, end)
        text = text.slice(end + 2)
        searched = 0
        const data = event
          .split("\n")
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).trimStart())
          .join("\n")
        if (data !== "") return read(JSON.parse(data))
        continue
      }
      const piece = await reader?.read()
      if (piece === undefined || piece.done) return undefined
      searched = Math.max(text.length - 1, 0)
      text += piece.value.replaceAll("\r", "")
    }
  }
  return {
    contentType: response.headers.get("content-type") ?? undefined,
    next,
    rest: () => restOf(next),
    close: () => void reader?.cancel().catch(() => {}),
  }
}

const restOf = async (next: () => Promise<Fields | undefined>): Promise<Array<Fields>> => {
  const all: Array<Fields> = []
  for (let event = await next(); event !== undefined; event = await next()) all.push(event)
  return all
}

const rpcFailed = (body: unknown): Failed | undefined => {
  const { error } = fieldsOf(body)
  return isFields(error) ? failedWith(error["code"], error["message"], error["data"]) : undefined
}

const isEvents = (response: Response): boolean =>
  response.headers.get("content-type")?.startsWith("text/event-stream") === true

const jsonRpc = (root: string): Raw => {
  const post = (method: string, params: Fields, headers: Headers): Promise<Response> =>
    fetch(root, {
      method: "POST",
      headers: { "content-type": "application/json", ...modern, ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: "mine", method, params }),
    })
  const toldBy = (body: unknown): Told => {
    const { id, jsonrpc, result } = fieldsOf(body)
    if (jsonrpc !== "2.0" || id !== "mine") throw new Error(`no answer of JSON-RPC: ${JSON.stringify(body)}`)
    const failed = rpcFailed(body)
    return failed === undefined ? { result: fieldsOf(result) } : { failed }
  }
  return {
    call: async (operation, params, headers = {}) =>
      toldBy(jsonOf(await (await post(operation, params, headers)).text())),
    stream: async (operation, params, headers = {}) => {
      const response = await post(operation, params, headers)
      if (!isEvents(response)) {
        const told = toldBy(jsonOf(await response.text()))
        if (told.failed === undefined) throw new Error("an answer that is no stream")
        return { failed: told.failed }
      }
      const events = eventsIn(response, fieldsOf)
      const first = await events.next()
      const failed = rpcFailed(first)
      if (failed !== undefined) return { failed }
      return opened(events, first, (event) => {
        const told = toldBy(event)
        return told.failed === undefined ? told.result : { failed: told.failed }
      })
    },
    close: () => {},
  }
}

/** A stream whose first event was looked at. */
const opened = (events: Events, first: Fields | undefined, read: (event: Fields) => Fields): Events => {
  let ahead = first
  const next = async (): Promise<Fields | undefined> => {
    const event = ahead ?? (await events.next())
    ahead = undefined
    return event === undefined ? undefined : read(event)
  }
  return { ...events, next, rest: () => restOf(next) }
}

const http = (root: string): Raw => {
  const send = (operation: Operation, params: Fields, headers: Headers): Promise<Response> => {
    const [method, path, body] = rests[operation](params)
    return fetch(`${root}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...modern, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }
  const failedBy = (status: number, text: string): Failed => {
    const error = fieldsOf(fieldsOf(jsonOf(text))["error"])
    if (error["code"] !== status || !/^[A-Z_]+$/.test(textOf(error["status"]) ?? "")) {
      throw new Error(`no error of google.rpc: ${status} ${text}`)
    }
    return failedWith(status, error["message"], error["details"])
  }
  return {
    call: async (operation, params, headers = {}) => {
      const response = await send(operation, params, headers)
      const text = await response.text()
      return response.ok ? { result: fieldsOf(jsonOf(text)) } : { failed: failedBy(response.status, text) }
    },
    stream: async (operation, params, headers = {}) => {
      const response = await send(operation, params, headers)
      return response.ok ? eventsIn(response, fieldsOf) : { failed: failedBy(response.status, await response.text()) }
    },
    close: () => {},
  }
}

const same = (bytes: Buffer): Buffer => bytes

const overGrpc = (authority: string): Raw => {
  const client = new grpc.Client(authority, grpc.credentials.createInsecure())
  const pathOf = (operation: Operation): string => `/${grpcService["1.0"]}/${operation}`
  const written = (operation: Operation, params: Fields): Buffer => {
    const call = codec.writeCall({ operation, params }, "1.0")
    if (call._tag === "Unreadable") throw new Error(call.fault.message)
    return Buffer.from(call.value)
  }
  const metadataOf = (headers: Headers): grpc.Metadata => {
    const metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries({ ...modern, ...headers })) metadata.set(name, value)
    return metadata
  }
  const failedBy = ({ code, details, metadata }: grpc.ServiceError): Failed => {
    const binary = metadata.get("grpc-status-details-bin")[0]
    const text = Buffer.isBuffer(binary) ? binary.toString("base64") : undefined
    return failedWith(grpc.status[code], details, codec.readFault(code, details, text).data)
  }
  const answerOf = (operation: Operation, bytes: Buffer): Fields => {
    const answer = codec.readAnswer(operation, "1.0", bytes)
    if (answer._tag === "Fault") throw new Error(answer.fault.message)
    return fieldsOf(answer.result)
  }
  return {
    call: (operation, params, headers = {}) =>
      new Promise((resolve, reject) => {
        const message = written(operation, params)
        client.makeUnaryRequest(pathOf(operation), same, same, message, metadataOf(headers), (error, bytes) => {
          if (error !== null) return resolve({ failed: failedBy(error) })
          try {
            resolve({ result: answerOf(operation, bytes ?? Buffer.alloc(0)) })
          } catch (cause) {
            reject(cause)
          }
        })
      }),
    stream: async (operation, params, headers = {}) => {
      const call = client.makeServerStreamRequest(
        pathOf(operation),
        same,
        same,
        written(operation, params),
        metadataOf(headers),
      )
      const reader = call[Symbol.asyncIterator]()
      const next = async (): Promise<Fields | undefined> => {
        const { done, value } = await reader.next()
        return done === true ? undefined : answerOf(operation, value as Buffer)
      }
      try {
        const first = await next()
        return opened(
          { contentType: "application/grpc", next, rest: () => restOf(next), close: () => call.cancel() },
          first,
          (event) => event,
        )
      } catch (error) {
        return { failed: failedBy(error as grpc.ServiceError) }
      }
    },
    close: () => client.close(),
  }
}

export const rawClient = (binding: Binding, port: number): Raw => {
  const root = `http://127.0.0.1:${port}`
  return binding === "JSONRPC" ? jsonRpc(root) : binding === "HTTP+JSON" ? http(root) : overGrpc(`127.0.0.1:${port}`)
}
