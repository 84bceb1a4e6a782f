/** What a configuration offers a world: doors that clients can knock at, and servers it will call. */
import type { HeaderMatch, Match, PathMatch, QueryMatch } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"

/** A request that some route is meant for. */
export interface Door {
  readonly port: number
  readonly serverName: string | undefined
  readonly authority: string
  readonly method: string | undefined
  readonly path: string
  readonly headers: ReadonlyArray<readonly [string, string]>
}

export interface Terrain {
  readonly doors: ReadonlyArray<Door>
  readonly servers: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly configs: number
}

/** A host that a pattern such as `*.example.com` takes. */
const hostOf = (pattern: string): string =>
  pattern === "*" ? "any.example" : pattern.startsWith("*.") ? `some${pattern.slice(1)}` : pattern

const pathOf = (path: PathMatch): string => {
  switch (path._tag) {
    case "Exact":
      return path.path
    case "Prefix":
      return path.path.endsWith("/") ? `${path.path}some` : `${path.path}/some`
    case "Regex":
      // What an expression takes cannot be told from it; the gateway then answers that it knows no such route.
      return "/"
  }
}

const exact = (fields: ReadonlyArray<HeaderMatch | QueryMatch>): ReadonlyArray<readonly [string, string]> =>
  fields.flatMap(({ name, value }) =>
    value._tag === "Exact" && !name.startsWith(":") ? [[name, value.value] as const] : [],
  )

const targetOf = ({ path, query }: Match): string => {
  const pairs = exact(query).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return pairs.length === 0 ? pathOf(path) : `${pathOf(path)}?${pairs.join("&")}`
}

/** Which of two patterns is the narrower one, so that a host suits both the listener and the route. */
const narrower = (listener: string, route: string): string => (route.startsWith("*") ? listener : route)

export const terrainOf = (configs: ReadonlyArray<Snapshot>): Terrain => {
  const doors = new Map<string, Door>()
  const servers = new Map<string, { readonly host: string; readonly port: number }>()
  for (const snapshot of configs) {
    for (const door of doorsOf(snapshot)) doors.set(JSON.stringify(door), door)
    for (const server of serversOf(snapshot)) servers.set(`${server.host}:${server.port}`, server)
  }
  return { doors: [...doors.values()], servers: [...servers.values()], configs: configs.length }
}

const doorsOf = (snapshot: Snapshot): ReadonlyArray<Door> => {
  const doors: Array<Door> = []
  for (const listener of snapshot.listeners.values()) {
    const address = snapshot.binds.get(listener.bind)?.address
    if (address?._tag !== "Ip") continue
    if (listener.protocol !== "HTTP" && listener.protocol !== "HTTPS") continue
    const routes: ReadonlyArray<Route> = [...snapshot.routes.values()].filter(
      ({ parent }) => parent._tag === "Listener" && parent.listener === listener.key,
    )
    for (const route of routes) {
      for (const hostname of route.hostnames.length === 0 ? [listener.hostname] : route.hostnames) {
        const authority = hostOf(hostname === "*" ? listener.hostname : narrower(listener.hostname, hostname))
        const serverName = listener.protocol === "HTTPS" ? authority : undefined
        for (const match of route.matches) {
          doors.push({
            port: address.port,
            serverName,
            authority,
            method: match.method,
            path: targetOf(match),
            headers: exact(match.headers),
          })
        }
      }
    }
  }
  return doors
}

const serversOf = (snapshot: Snapshot): ReadonlyArray<{ readonly host: string; readonly port: number }> => {
  const servers: Array<{ readonly host: string; readonly port: number }> = []
  for (const backend of snapshot.backends.values()) {
    if (backend._tag === "Host" && backend.target._tag === "Host") {
      servers.push({ host: backend.target.host, port: backend.target.port })
    }
  }
  for (const workload of snapshot.workloads.values()) {
    for (const ports of Object.values(workload.services)) {
      for (const port of Object.values(ports)) {
        for (const host of workload.addresses) servers.push({ host, port })
      }
    }
  }
  return servers
}
