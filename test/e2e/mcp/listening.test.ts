/** Being told of changes: by many at once, over gaps, and when the gateway is about to end. */
import { afterEach, describe, expect, it } from "vitest"
import { sleep, until } from "../harness.ts"
import {
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  listen,
  type Script,
  type Scripted,
  scripted,
  type Stream,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const plain: Script = legacy((turn) => turn.result({}))

const behind = async (
  script: Script = plain,
  get?: Parameters<typeof scripted>[1],
): Promise<{ readonly server: Scripted; readonly gateway: McpGateway }> => {
  const server = await scripted(script, get)
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
  open.push(gateway)
  return { server, gateway }
}

let lastId = 0

const listenTo = (url: string, notifications: Json): Promise<Stream> => listen(url, notifications, `listen-${++lastId}`)

const methodsIn = ({ events }: Stream): ReadonlyArray<unknown> => events.map(({ data }) => data?.["method"])
const acknowledged = (stream: Stream): Promise<void> =>
  until("it is acknowledged", () => methodsIn(stream).includes("notifications/subscriptions/acknowledged"))

describe("many who listen", () => {
  it("share what is asked of the server, hear their own part each, and the last one ends it", async () => {
    const { gateway, server } = await behind()
    const one = await listenTo(gateway.url, { resourceSubscriptions: ["a://1"] })
    const two = await listenTo(gateway.url, { toolsListChanged: true, resourceSubscriptions: ["a://1", "a://2"] })
    await Promise.all([acknowledged(one), acknowledged(two)])
    await until("the server is subscribed to", () => server.calls("resources/subscribe").length === 2)
    const updated = (uri: string): Json => ({
      jsonrpc: "2.0",
      method: "notifications/resources/updated",
      params: { uri },
    })
    server.push(updated("a://1"))
    server.push(updated("a://2"))
    server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    // A server that takes its time to agree may have had something to say before, which is told once more.
    const uris = ({ events }: Stream) =>
      new Set(
        events.flatMap(({ data }) => ((data?.["params"] as Json | undefined)?.["uri"] as string | undefined) ?? []),
      )
    await until(
      "all is told",
      () =>
        uris(one).has("a://1") && uris(two).size === 2 && methodsIn(two).includes("notifications/tools/list_changed"),
    )
    expect([...uris(one)]).toEqual(["a://1"])
    expect([...uris(two)].toSorted()).toEqual(["a://1", "a://2"])
    expect(methodsIn(one)).not.toContain("notifications/tools/list_changed")
    one.close()
    two.close()
    await until("nobody is subscribed", () => server.calls("resources/unsubscribe").length === 2, 15_000)
    const subscribed = server.calls("resources/subscribe").map(({ params }) => params?.["uri"])
    expect(subscribed.toSorted()).toEqual(["a://1", "a://2"])
  })

  it("are acknowledged although the server does not say in time whether it will tell", async () => {
    const { gateway, server } = await behind(plain, () => {})
    const stream = await listenTo(gateway.url, { toolsListChanged: true })
    await acknowledged(stream)
    expect(server.requests.filter(({ method }) => method === "GET").length).toBeLessThanOrEqual(1)
    stream.close()
  })

  it("are acknowledged although a server without sessions never acknowledges anything", async () => {
    const { gateway, server } = await behind(
      modern((turn) => (turn.message.method === "subscriptions/listen" ? undefined : turn.result({})), {
        tools: { listChanged: true },
        resources: { subscribe: true },
      }),
    )
    await ask(gateway.url, "server/discover")
    const stream = await listenTo(gateway.url, {
      toolsListChanged: true,
      promptsListChanged: true,
      resourceSubscriptions: ["a://1"],
    })
    await acknowledged(stream)
    // What it said that it would tell, it may yet.
    expect(stream.events[0]?.data).toMatchObject({
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ["a://1"] } },
    })
    expect(JSON.stringify(stream.events[0]?.data)).not.toContain("promptsListChanged")
    expect(server.calls("subscriptions/listen")).toHaveLength(1)
    stream.close()
  })
})

describe("a client with a session that subscribes", () => {
  it("hears of everything from the moment it is answered, however fast it happens", async () => {
    let told: ((message: unknown) => void) | undefined
    const update = { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a://1" } }
    const { gateway } = await behind(
      modern(
        (turn) => {
          const { id, method, params = {} } = turn.message
          // What happens is told to who listens at that moment, and to nobody else.
          if (method === "tools/call") told?.(update)
          if (method !== "subscriptions/listen") return turn.result({ resultType: "complete", content: [] })
          const notifications = params["notifications"] as Json
          const stream = turn.stream()
          return void sleep(notifications["resourceSubscriptions"] === undefined ? 0 : 100).then(() => {
            const _meta = { "io.modelcontextprotocol/subscriptionId": id }
            const method = "notifications/subscriptions/acknowledged"
            stream.send({ jsonrpc: "2.0", method, params: { notifications, _meta } })
            told = (message) => {
              if (notifications["resourceSubscriptions"] !== undefined) stream.send(message)
            }
          })
        },
        { tools: {}, resources: { subscribe: true } },
      ),
    )
    const client = await begin(gateway.url)
    const stream = await client.listen()
    await until("the server is listened to", () => told !== undefined)
    await client.request("resources/subscribe", { uri: "a://1" })
    await client.request("tools/call", { name: "touch", arguments: {} })
    await until("it is told", () => methodsIn(stream).includes("notifications/resources/updated"))
    stream.close()
  })
})

describe("a gap", () => {
  it("is followed by news, because something may have happened in it", async () => {
    const { gateway, server } = await behind()
    const stream = await listenTo(gateway.url, { toolsListChanged: true, resourceSubscriptions: ["a://1"] })
    await acknowledged(stream)
    await until("the server is listened to", () => server.streams.size === 1)
    for (const one of server.streams) one.destroy()
    await until(
      "it is listened to again, and told",
      () => {
        const told = methodsIn(stream)
        return told.includes("notifications/tools/list_changed") && told.includes("notifications/resources/updated")
      },
      20_000,
    )
    stream.close()
  })
})

describe("a gateway that is about to end", () => {
  it("ends what only waits, so that clients go elsewhere", async () => {
    const { gateway } = await behind()
    const modern = await listenTo(gateway.url, { toolsListChanged: true })
    await acknowledged(modern)
    const streamed = async (version: string): Promise<{ readonly text: Promise<string> }> => {
      const { id } = await begin(gateway.url, { version })
      const reply = await fetch(gateway.url, { headers: { accept: "text/event-stream", "mcp-session-id": id } })
      return { text: reply.text() }
    }
    const texts = [await streamed("2025-11-25"), await streamed("2025-06-18")]
    await gateway.close()
    await modern.closed
    expect(modern.events.at(-1)?.data).toMatchObject({ result: { resultType: "complete" } })
    const [today, before] = await Promise.all(texts.map(({ text }) => text))
    expect(today).toContain("retry: ")
    expect(before).not.toContain("retry: ")
  })
})
