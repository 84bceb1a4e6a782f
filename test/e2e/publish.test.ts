/** What a change may do to the configuration that serves: everything or nothing, however small it is. */
import * as Effect from "effect/Effect"
import { afterEach, expect, it } from "vitest"
import type { BackendKey, RouteKey } from "../../ir/Key.ts"
import type { Route } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { changing, connect, httpUpstream, plain, startGateway, until } from "./harness.ts"

const closers: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const firstOf = <K, V>(map: ReadonlyMap<K, V>): V => [...map.values()][0] as V

const started = async () => {
  const upstream = await httpUpstream((request, response) => {
    request.resume()
    response.end("served")
  })
  closers.push(async () => upstream.close())
  const snapshot = plain(upstream.port)
  const { change, source } = changing(snapshot)
  const gateway = await startGateway(source)
  closers.push(async () => gateway.close())
  const config = gateway.gateway.config
  const refusedAfter = async (next: Snapshot): Promise<string> => {
    change(next)
    await until("the refusal", () => !config().synchronized)
    return config().problems.join("\n")
  }
  const serves = async (): Promise<number> => {
    const client = await connect(gateway.port)
    client.write("GET / HTTP/1.1\r\nhost: x.test\r\nconnection: close\r\n\r\n")
    const { status } = await client.answer()
    client.close()
    return status
  }
  return { snapshot, refusedAfter, serves }
}

it("one added route that leads nowhere is refused, and what served goes on serving", async () => {
  const { refusedAfter, serves, snapshot } = await started()
  const route = firstOf(snapshot.routes)
  const lost: Route = {
    ...route,
    key: `${route.key}-lost` as RouteKey,
    backends: [{ weight: 1, backend: { _tag: "Backend", backend: "/nowhere" as BackendKey }, policies: [] }],
  }
  expect(await refusedAfter({ ...snapshot, routes: new Map([...snapshot.routes, [lost.key, lost]]) })).toContain(
    "/nowhere",
  )
  expect(await serves()).toBe(200)
})

it("taking away what an untouched route leads to is refused", async () => {
  const { refusedAfter, serves, snapshot } = await started()
  const backend = firstOf(snapshot.backends)
  expect(await refusedAfter({ ...snapshot, backends: new Map() })).toContain(backend.key)
  expect(await serves()).toBe(200)
})

it("a connection that comes before what will serve it is kept until then", async () => {
  const upstream = await httpUpstream()
  closers.push(async () => upstream.close())
  let accepted = 0
  let early: Awaited<ReturnType<typeof connect>> | undefined
  const gateway = await startGateway(plain(upstream.port), {
    around: (service) => ({
      ...service,
      listen: (what, onSocket) =>
        Effect.tap(
          service.listen(what, (socket) => {
            accepted++
            onSocket(socket)
          }),
          ({ address }) =>
            Effect.promise(async () => {
              early = await connect(address.port)
              early.write("GET / HTTP/1.1\r\nhost: x.test\r\nconnection: close\r\n\r\n")
              await until("it is accepted", () => accepted === 1)
            }),
        ),
    }),
  })
  closers.push(async () => gateway.close())
  expect((await early?.answer())?.status).toBe(200)
  early?.close()
})
