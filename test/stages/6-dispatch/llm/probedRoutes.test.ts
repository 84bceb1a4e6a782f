import { expect, it } from "vitest"
import * as Attachments from "../../../../ir/attachments.ts"
import { diff } from "../../../../ir/diff.ts"
import type { RouteKey } from "../../../../ir/Key.ts"
import type { Route } from "../../../../ir/Route.ts"
import type { Snapshot } from "../../../../ir/Snapshot.ts"
import { ProbedRoutes } from "../../../../stages/6-dispatch/llm/ProbedRoutes.ts"
import { Endpoints } from "../../../../stages/6-dispatch/Endpoints.ts"
import type { DispatchPorts } from "../../../../stages/6-dispatch/ports.ts"
import { Services } from "../../../../stages/6-dispatch/Services.ts"
import { loadedOf } from "../../../config/memoryIo.ts"

const clock = { nowMillis: () => 1, wallMillis: () => 1, after: () => () => {}, random: () => 0 }
const endpoints = new Endpoints(() => {
  throw new Error("nobody is asked here")
})
const dispatch: DispatchPorts = {
  endpoints,
  clock,
  defaults: {
    connectTimeoutMillis: 1,
    poolIdleMillis: 1,
    poolSizeMax: 1,
    keepAlive: { enabled: false, timeMillis: 1 },
  },
}

const provider = (name: string, path: string | undefined, port = 1) => ({
  ai: { name, provider: { openAI: {} }, hostOverride: `127.0.0.1:${port}` },
  ...(path === undefined ? {} : { policies: { health: { active: { path, interval: "1s" } } } }),
})

interface Words {
  readonly [route: string]: object
}

const snapshotOf = async (routes: Words): Promise<Snapshot> => {
  const all = Object.entries(routes).map(([name, backend]) => ({
    name,
    matches: [{ path: { exact: `/${name}` } }],
    backends: [backend],
  }))
  const { snapshot } = await loadedOf(JSON.stringify({ binds: [{ port: 1, listeners: [{ routes: all }] }] }))
  return snapshot
}

const services = Services.empty(undefined)
const placeOf = (snapshot: Snapshot) => ({
  snapshot,
  attachments: Attachments.make(snapshot.attachments.values()),
  services,
})

const told = (probes: ReadonlyMap<string, { readonly active: { readonly path: string } }>) =>
  [...probes.values()].map(({ active }) => active.path).toSorted()

const plain = { host: "127.0.0.1:2" }
const steps: ReadonlyArray<readonly [string, Words, ReadonlyArray<string>]> = [
  ["nobody", { one: plain, two: plain }, []],
  ["a route turns to a model", { one: plain, two: provider("a", "/a") }, ["/a"]],
  ["another comes", { one: provider("b", "/b"), two: provider("a", "/a"), three: plain }, ["/a", "/b"]],
  ["a path changes", { one: provider("b", "/b2"), two: provider("a", "/a"), three: plain }, ["/a", "/b2"]],
  ["one is asked no more", { one: provider("b", undefined), two: provider("a", "/a"), three: plain }, ["/a"]],
  ["one goes away", { one: provider("b", undefined), three: provider("c", "/c") }, ["/c"]],
  ["a model turns to a host", { one: plain, three: plain }, []],
]

it("after every change those are asked who would be if it were the first configuration", async () => {
  const kept = new ProbedRoutes()
  let before: Snapshot | undefined
  for (const [what, words, paths] of steps) {
    const snapshot = await snapshotOf(words)
    const place = placeOf(snapshot)
    const step = before === undefined ? undefined : { from: before, changes: diff(before, snapshot) }
    expect(told(kept.next(dispatch, place, step)), what).toEqual(paths)
    expect(told(new ProbedRoutes().next(dispatch, place, undefined)), what).toEqual(paths)
    before = snapshot
  }
})

it("a change elsewhere looks at no route but its own", async () => {
  const before = await snapshotOf({ one: provider("a", "/a"), two: plain })
  const attachments = Attachments.make(before.attachments.values())
  const kept = new ProbedRoutes()
  kept.next(dispatch, { snapshot: before, attachments, services }, undefined)
  const looked: Array<string> = []
  const [first] = [...before.routes.values()]
  if (first === undefined) throw new Error("there is no route")
  const added = { ...first, key: "another" as RouteKey, backends: [] }
  class Counted extends Map<RouteKey, Route> {
    override get(key: RouteKey): Route | undefined {
      looked.push(key)
      return super.get(key)
    }
    override [Symbol.iterator](): MapIterator<[RouteKey, Route]> {
      looked.push("all")
      return super[Symbol.iterator]()
    }
  }
  const after: Snapshot = { ...before, routes: new Map([...before.routes, [added.key, added]]) }
  const changes = diff(before, after)
  const counted = new Counted(after.routes)
  looked.length = 0
  const probes = kept.next(
    dispatch,
    { snapshot: { ...after, routes: counted }, attachments, services },
    { from: before, changes },
  )
  expect(told(probes)).toEqual(["/a"])
  expect(looked).toEqual([])
})
