/** Clients of every generation behind one face, as bare as can be: what they are told is kept, what they are asked is answered. */
import { answerOf, ask as askModern, begin, type Json, readReply, listen, type Said, type Stream } from "./harness.ts"

export interface Note {
  readonly method: string
  readonly params: Json
}

export interface Given {
  readonly result: Json | undefined
  readonly error: Json | undefined
  readonly status: number
  /** What came before the answer. */
  readonly notes: ReadonlyArray<Note>
  /** What was asked before the answer. */
  readonly asked: ReadonlyArray<Note>
}

export interface Words {
  readonly progress?: true
  readonly log?: string
}

/** What somebody is told without having asked for it. */
export interface Hearing {
  readonly notes: Array<Note>
  readonly close: () => void
}

export interface Face {
  /** What the gateway says of what stands behind it. */
  readonly introduction: Json
  readonly request: (method: string, params?: Json, words?: Words) => Promise<Given>
  readonly hear: (uris?: ReadonlyArray<string>) => Promise<Hearing>
  readonly close: () => void
}

export const capabilities: Json = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }

/** What a person, a model or an editor says to what it is asked. */
export const reply = (method: string): Json => {
  switch (method) {
    case "elicitation/create":
      return { action: "accept", content: { username: "ann", email: "ann@example.test", name: "ann", context: "blue" } }
    case "sampling/createMessage":
      return { role: "assistant", model: "m", content: { type: "text", text: "Paris" } }
    default:
      return { roots: [{ uri: "file:///home/ann", name: "home" }] }
  }
}

type Message = Json & { readonly id?: unknown; readonly method?: string; readonly params?: Json }

const noteOf = ({ method = "", params = {} }: Message): Note => ({ method, params })

const isNote = (message: Message): boolean => message.method !== undefined && message.id === undefined
const isQuestion = (message: Message): boolean => message.method !== undefined && message.id !== undefined

/** Of everything that came by a stream, what was said without being asked. */
const notesIn = (stream: Stream): Array<Note> =>
  stream.events.flatMap(({ data }) => (data !== undefined && isNote(data as Message) ? [noteOf(data as Message)] : []))

const live = (stream: Stream): Hearing => ({
  get notes() {
    return notesIn(stream)
  },
  close: stream.close,
})

let lastId = 1_000

const metaOf = ({ progress }: Words): Json => (progress ? { _meta: { progressToken: "token" } } : {})

/** Waits for the answer in a stream, and answers what is asked before it. */
const follow = async (
  stream: Stream,
  id: number,
  send: (message: Json) => Promise<unknown>,
  from = 0,
): Promise<Given> => {
  const asked: Array<Note> = []
  const notes: Array<Note> = []
  for (let i = from; ;) {
    const event = stream.events[i]
    if (event === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      continue
    }
    i++
    const message = event.data as Message | undefined
    if (message === undefined) continue
    if (isQuestion(message)) {
      asked.push(noteOf(message))
      await send({ id: message.id, result: reply(message.method ?? "") })
    } else if (isNote(message)) notes.push(noteOf(message))
    else if (message.id === id) {
      const { error, result } = message as { readonly error?: Json; readonly result?: Json }
      return { result, error, status: stream.status, notes, asked }
    }
  }
}

/** Streamable HTTP with a session. */
export const inSession = async (url: string, version = "2025-11-25"): Promise<Face> => {
  const client = await begin(url, { capabilities, version })
  const headers = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-session-id": client.id,
    ...(version >= "2025-06-18" ? { "mcp-protocol-version": version } : {}),
  }
  return {
    introduction: client.introduction,
    request: async (method, params = {}, words = {}) => {
      if (words.log !== undefined) await client.request("logging/setLevel", { level: words.log })
      const id = ++lastId
      const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, ...metaOf(words) } })
      const response = await fetch(url, { method: "POST", headers, body })
      if (response.headers.get("content-type")?.startsWith("application/json") === true) {
        const { error, result } = (await response.json()) as { readonly error?: Json; readonly result?: Json }
        return { result, error, status: response.status, notes: [], asked: [] }
      }
      return follow(
        readReply(response, () => {}),
        id,
        client.send,
      )
    },
    hear: async (uris = []) => {
      const stream = await client.listen()
      for (const uri of uris) await client.request("resources/subscribe", { uri })
      return live(stream)
    },
    close: () => void client.end(),
  }
}

/** The revision without sessions: what is asked comes as a result, and is answered by asking again. */
export const withoutSession = async (url: string): Promise<Face> => {
  const discovered = await askModern(url, "server/discover", {}, { capabilities })
  const given = (said: Said, asked: ReadonlyArray<Note>, notes: ReadonlyArray<Note>): Given => {
    const { error, result } = said.messages.at(-1) ?? {}
    return { result, error, status: said.status, notes, asked }
  }
  return {
    introduction: answerOf(discovered).result as Json,
    request: async (method, params = {}, { log, progress } = {}) => {
      const meta = {
        ...(progress ? { progressToken: "token" } : {}),
        ...(log === undefined ? {} : { "io.modelcontextprotocol/logLevel": log }),
      }
      const asked: Array<Note> = []
      const notes: Array<Note> = []
      let more: Json = {}
      for (;;) {
        const said = await askModern(url, method, { ...params, ...more }, { capabilities, meta })
        notes.push(...said.messages.filter((one) => isNote(one as Message)).map((one) => noteOf(one as Message)))
        const { result } = said.messages.at(-1) ?? {}
        if (result?.["resultType"] !== "input_required") return given(said, asked, notes)
        const requests = Object.entries((result["inputRequests"] ?? {}) as Record<string, Message>)
        asked.push(...requests.map(([, one]) => noteOf(one)))
        more = {
          inputResponses: Object.fromEntries(requests.map(([key, one]) => [key, reply(one.method ?? "")])),
          ...(result["requestState"] === undefined ? {} : { requestState: result["requestState"] }),
        }
      }
    },
    hear: async (uris = []) => {
      const notifications = {
        toolsListChanged: true,
        promptsListChanged: true,
        resourcesListChanged: true,
        ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
      }
      return live(await listen(url, notifications, ++lastId, capabilities))
    },
    close: () => {},
  }
}

/** The two endpoints of 2024-11-05: one stream carries everything. */
export const onStream = async (url: string): Promise<Face> => {
  const stream = await openRaw(url)
  const place = new URL(await stream.endpoint, url).href
  const post = async (message: Json): Promise<void> => {
    const response = await fetch(place, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    })
    await response.text()
  }
  const asked = async (method: string, params: Json): Promise<Given> => {
    const id = ++lastId
    const from = stream.events.length
    await post({ id, method, params })
    return follow(stream, id, post, from)
  }
  const introduced = await asked("initialize", {
    protocolVersion: "2024-11-05",
    capabilities,
    clientInfo: { name: "test", version: "1" },
  })
  await post({ method: "notifications/initialized" })
  return {
    introduction: introduced.result as Json,
    request: async (method, params = {}, words = {}) => {
      if (words.log !== undefined) await asked("logging/setLevel", { level: words.log })
      return asked(method, { ...params, ...metaOf(words) })
    },
    hear: async (uris = []) => {
      for (const uri of uris) await asked("resources/subscribe", { uri })
      const from = notesIn(stream).length
      return {
        get notes() {
          return notesIn(stream).slice(from)
        },
        close: () => {},
      }
    },
    close: stream.close,
  }
}

const openRaw = async (url: string): Promise<ReturnType<typeof readReply>> => {
  const abort = new AbortController()
  const response = await fetch(url, { headers: { accept: "text/event-stream" }, signal: abort.signal })
  return readReply(response, () => abort.abort())
}

export const faces = {
  "a client with a session": (url: string) => inSession(url),
  "a client without one": withoutSession,
  "a client of HTTP+SSE": onStream,
} as const
