/** What finding a route costs, by how many there are and what tells them apart, and what one changed route costs. */
import { ListenerKey, RouteKey } from "../ir/Key.ts"
import type { Match, PathMatch } from "../ir/Match.ts"
import { Headers } from "../protocols/http/headers.ts"
import { change, find, make, type Candidate, type RouteRequest } from "../stages/4-route/tree.ts"

const match = (path: PathMatch, more: Partial<Match> = {}): Match => ({ path, headers: [], query: [], ...more })
const prefix = (path: string): PathMatch => ({ _tag: "Prefix", path })

const route = (key: string, hostnames: ReadonlyArray<string>, one: Match): Candidate<string> => ({
  route: {
    key: RouteKey.make(key),
    parent: { _tag: "Listener", listener: ListenerKey.make("listener") },
    name: { name: key, namespace: "default" },
    hostnames,
    matches: [one],
    backends: [],
    policies: [],
  },
  value: key,
})

const fields = ["accept", "*/*", "user-agent", "bench", "x-request-id", "0", "content-type", "text/plain"]
const request = (host: string, path: string, more: ReadonlyArray<string> = []): RouteRequest => ({
  method: "GET",
  scheme: "http",
  authority: host,
  host,
  path,
  query: undefined,
  headers: new Headers([...fields, ...more]),
  upgrade: undefined,
})

interface World {
  readonly name: string
  readonly route: (i: number, edit?: string) => Candidate<string>
  readonly request: (i: number) => RouteRequest
}

const worlds: ReadonlyArray<World> = [
  {
    name: "by host",
    route: (i, edit = "") => route(`r${i}`, [`svc-${i}.apps.example.com`], match(prefix(`/${edit}`))),
    request: (i) => request(`svc-${i}.apps.example.com`, "/v1/items/42"),
  },
  {
    name: "by path, prefix",
    route: (i, edit = "") => route(`r${i}`, ["apps.example.com"], match(prefix(`/svc-${i}/v1${edit}`))),
    request: (i) => request("apps.example.com", `/svc-${i}/v1/items/42`),
  },
  {
    name: "by path, exact",
    route: (i, edit = "") => route(`r${i}`, [], match({ _tag: "Exact", path: `/svc-${i}/v1${edit}` })),
    request: (i) => request("apps.example.com", `/svc-${i}/v1`),
  },
  {
    name: "by header, one path",
    route: (i, edit = "") =>
      route(
        `r${i}`,
        [],
        match(prefix("/"), { headers: [{ name: "x-tenant", value: { _tag: "Exact", value: `t${i}${edit}` } }] }),
      ),
    request: (i) => request("apps.example.com", "/v1", ["x-tenant", `t${i}`]),
  },
  {
    name: "mixed",
    route: (i, edit = "") => {
      const hosts = [`h${i % 100}.example.com`]
      if (i % 10 === 0) return route(`r${i}`, hosts, match({ _tag: "Regex", pattern: `/re-${i}/v[0-9]+/.*${edit}` }))
      if (i % 10 === 1) return route(`r${i}`, hosts, match(prefix(`/p${i}${edit}`), { method: "GET" }))
      return route(`r${i}`, i % 10 === 2 ? [`*.w${i}.example.com`] : hosts, match(prefix(`/p${i}${edit}`)))
    },
    request: (i) => {
      const host = i % 10 === 2 ? `x.w${i}.example.com` : `h${i % 100}.example.com`
      return request(host, i % 10 === 0 ? `/re-${i}/v2/items` : `/p${i}/items/42`)
    },
  },
  {
    name: "by expression without plain start (scan)",
    route: (i, edit = "") => route(`r${i}`, [], match({ _tag: "Regex", pattern: `.*/x${i}y${edit}` })),
    request: (i) => request("apps.example.com", `/v1/items/x${i}y`),
  },
]

/** Median of rounds, in nanoseconds for one call. */
const cost = (calls: number, run: (i: number) => void): number => {
  const rounds: Array<number> = []
  for (let round = 0; round < 9; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i++) run(i)
    rounds.push(Number(process.hrtime.bigint() - start) / calls)
  }
  return rounds.sort((a, b) => a - b)[4] as number
}

for (const world of worlds)
  for (const count of world.name.includes("scan") ? [1, 100, 300] : [1, 1_000, 10_000]) {
    const candidates = Array.from({ length: count }, (_, i) => world.route(i))
    const start = performance.now()
    const tree = make(candidates)
    const makeMillis = performance.now() - start
    // A fixed number of requests, so that only the routes grow and not the working set of the benchmark itself.
    const requests = Array.from({ length: 64 }, (_, i) => world.request(Math.floor((i * count) / 64)))
    for (const one of requests) if (find(tree, one) === undefined) throw new Error(`${world.name}: nothing found`)
    const nanos = cost(count > 50 && world.name.includes("scan") ? 2_000 : 200_000, (i) => {
      find(tree, requests[i & 63] as RouteRequest)
    })
    const changeMicros =
      cost(200, (i) => {
        const at = (i * 7919) % count
        change(tree, { remove: [], add: [world.route(at, "new")] })
      }) / 1_000
    console.log(
      `${world.name.padEnd(42)} ${String(count).padStart(6)} routes ${nanos.toFixed(0).padStart(7)} ns/lookup ` +
        `${(changeMicros / 1_000).toFixed(3).padStart(8)} ms/change ${makeMillis.toFixed(1).padStart(7)} ms/make`,
    )
  }
