/** Chooses the route of a raw connection by the server name of its TLS handshake, if there was one. */
import type { TcpRoute } from "../../ir/TcpRoute.ts"
import { emptyMap, normal, search, update, type HostMap } from "./host.ts"
import { compareText } from "./Entry.ts"

export interface TcpCandidate<A> {
  readonly route: TcpRoute
  readonly value: A
}

export type TcpTable<A> = HostMap<TcpCandidate<A>>

/** Where several routes name one host, the one with the first key has it. */
export const makeTcp = <A>(candidates: Iterable<TcpCandidate<A>>): TcpTable<A> => {
  let table: TcpTable<A> = emptyMap
  for (const candidate of candidates) {
    const hostnames = candidate.route.hostnames.length === 0 ? ["*"] : candidate.route.hostnames
    for (const hostname of hostnames)
      table = update(table, normal(hostname), (known) =>
        known !== undefined && compareText(known.route.key, candidate.route.key) < 0 ? known : candidate,
      )
  }
  return table
}

const itself = <A>(candidate: TcpCandidate<A>): TcpCandidate<A> => candidate

/** Without a server name only a route without hostnames is left. */
export const findTcp = <A>(table: TcpTable<A>, serverName: string | undefined): A | undefined =>
  search(table, serverName?.toLowerCase() ?? "", undefined, itself)?.value
