/**
 * Names to addresses. Answers are kept and refreshed in the background while a name is in use, and the last good
 * answer serves for as long as the servers of the domain name system do not give a better one.
 */
import * as dns from "node:dns"
import * as fs from "node:fs/promises"
import * as net from "node:net"
import type { Clock } from "../../stages/ports/Timer.ts"

export type LookupFamily = "All" | "Auto" | "V4Preferred" | "V4Only" | "V6Only"

export interface Answer {
  readonly addresses: ReadonlyArray<string>
  readonly ttlMillis: number
}

/** Fails with a `code` like those of node:dns; a name without addresses of that family is a failure, too. */
export type Query = (name: string, family: 4 | 6) => Promise<Answer>

export interface ResolverOptions {
  readonly family: LookupFamily
  /** What `Auto` means: IPv4 first where there is IPv6, else only IPv4. */
  readonly ipv6: boolean
  readonly query: Query
  readonly clock: Pick<Clock, "after">
}

/** No address, and why not: an error code. */
export interface Unresolved {
  readonly code: string
}

export type Found = (unresolved: Unresolved | undefined, addresses: ReadonlyArray<string>) => void

export const REFRESH_MILLIS_MIN = 5_000
export const REFRESH_MILLIS_MAX = 3_600_000
export const BACKOFF_MILLIS_MIN = 200
export const BACKOFF_MILLIS_MAX = 5_000
/** How long a name is refreshed after its last use. */
export const UNUSED_MILLIS_MAX = 120_000
export const NAMES_MAX = 10_000

const none: ReadonlyArray<string> = []

class Name {
  readonly name: string
  addresses: ReadonlyArray<string> = none
  unresolved: Unresolved | undefined
  /** Addresses that could not be reached; the others go first until the next answer. */
  avoided: Set<string> | undefined
  next = 0
  used = true
  unusedMillis = 0
  failures = 0
  waiting: Array<Found> = []
  asking = false
  stop: (() => void) | undefined

  constructor(name: string) {
    this.name = name
  }
}

const codeOf = (error: unknown): string => {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code ?? "ESERVFAIL"
}

const interleave = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all: Array<string> = []
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const one = a[i]
    const other = b[i]
    if (one !== undefined) all.push(one)
    if (other !== undefined) all.push(other)
  }
  return all
}

export class Resolver {
  private readonly options: ResolverOptions
  private readonly names = new Map<string, Name>()
  private closed = false

  constructor(options: ResolverOptions) {
    this.options = options
  }

  /**
   * Calls back at once when the answer is known. Each call begins at another of the addresses, so that connections
   * spread over them, unless it names the one to begin with; the result forgets the callback.
   */
  lookup(host: string, found: Found, first?: string): () => void {
    const literal = this.literalOf(host)
    if (literal !== undefined) {
      found(literal.length === 0 ? { code: "ENOTFOUND" } : undefined, literal)
      return forget
    }
    const entry = this.entryOf(host.toLowerCase())
    entry.used = true
    if (entry.addresses.length > 0) {
      found(undefined, this.ordered(entry, first))
      return forget
    }
    if (entry.unresolved !== undefined) {
      found(entry.unresolved, none)
      return forget
    }
    entry.waiting.push(found)
    this.ask(entry)
    return () => {
      const at = entry.waiting.indexOf(found)
      if (at >= 0) entry.waiting.splice(at, 1)
    }
  }

  /** The address whose turn it is, of a name in lower case; undefined while there is no answer. */
  next(name: string): string | undefined {
    const entry = this.names.get(name)
    if (entry === undefined) return undefined
    entry.used = true
    const { addresses, avoided } = entry
    if (addresses.length < 2) return addresses[0]
    if (avoided !== undefined) {
      for (let i = 0; i < addresses.length; i++) {
        const address = addresses[entry.next++ % addresses.length] as string
        if (!avoided.has(address)) return address
      }
    }
    return addresses[entry.next++ % addresses.length]
  }

  /** Until the next answer, this address comes after the others. */
  avoid(host: string, address: string): void {
    const entry = this.names.get(host.toLowerCase())
    if (entry !== undefined && entry.addresses.length > 1) (entry.avoided ??= new Set()).add(address)
  }

  close(): void {
    this.closed = true
    for (const entry of this.names.values()) entry.stop?.()
    this.names.clear()
  }

  /** How many names are kept fresh. */
  get size(): number {
    return this.names.size
  }

  private get families(): { readonly v4: boolean; readonly v6: boolean; readonly both: boolean } {
    const { family, ipv6 } = this.options
    switch (family) {
      case "All":
        return { v4: true, v6: true, both: true }
      case "V4Only":
        return { v4: true, v6: false, both: false }
      case "V6Only":
        return { v4: false, v6: true, both: false }
      case "V4Preferred":
        return { v4: true, v6: true, both: false }
      default:
        return { v4: true, v6: ipv6, both: false }
    }
  }

  /** Addresses that need no query: literals, and the loopback by its name (RFC 6761 §6.3). */
  private literalOf(host: string): ReadonlyArray<string> | undefined {
    const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host
    if (net.isIP(bare) !== 0) return [bare]
    if (!/(?:^|\.)localhost\.?$/i.test(host)) return undefined
    const { v4, v6 } = this.families
    return [...(v4 ? ["127.0.0.1"] : []), ...(v6 ? ["::1"] : [])]
  }

  private entryOf(name: string): Name {
    const known = this.names.get(name)
    if (known !== undefined) return known
    if (this.names.size >= NAMES_MAX) this.dropOldest()
    const entry = new Name(name)
    this.names.set(name, entry)
    return entry
  }

  /** The one that was asked for first; a flood of names must not grow without bound. */
  private dropOldest(): void {
    for (const entry of this.names.values()) {
      if (entry.waiting.length > 0) continue
      this.drop(entry)
      return
    }
  }

  private drop(entry: Name): void {
    entry.stop?.()
    this.names.delete(entry.name)
  }

  private ordered(entry: Name, first?: string): ReadonlyArray<string> {
    const { addresses, avoided } = entry
    if (addresses.length === 1) return addresses
    const wanted = first === undefined ? -1 : addresses.indexOf(first)
    const start = wanted >= 0 ? wanted : entry.next++ % addresses.length
    const rotated = start === 0 ? addresses : [...addresses.slice(start), ...addresses.slice(0, start)]
    if (avoided === undefined) return rotated
    return [...rotated.filter((one) => !avoided.has(one)), ...rotated.filter((one) => avoided.has(one))]
  }

  private ask(entry: Name): void {
    if (entry.asking) return
    entry.asking = true
    this.query(entry.name).then(
      (answer) => this.answered(entry, answer),
      (error: unknown) => this.failed(entry, codeOf(error)),
    )
  }

  private async query(name: string): Promise<Answer> {
    const { query } = this.options
    const { v4, v6, both } = this.families
    if (!both) {
      if (!v4) return query(name, 6)
      if (!v6) return query(name, 4)
      try {
        return await query(name, 4)
      } catch (first) {
        try {
          return await query(name, 6)
        } catch (second) {
          // A server that failed may have had an answer; a name that does not exist is the less urgent news.
          throw codeOf(second) === "ENOTFOUND" || codeOf(second) === "ENODATA" ? first : second
        }
      }
    }
    const [four, six] = await Promise.allSettled([query(name, 4), query(name, 6)])
    if (four.status === "fulfilled" && six.status === "fulfilled") {
      return {
        addresses: interleave(four.value.addresses, six.value.addresses),
        ttlMillis: Math.min(four.value.ttlMillis, six.value.ttlMillis),
      }
    }
    if (four.status === "fulfilled") return four.value
    if (six.status === "fulfilled") return six.value
    throw four.reason
  }

  private answered(entry: Name, { addresses, ttlMillis }: Answer): void {
    if (addresses.length === 0) return this.failed(entry, "ENODATA")
    entry.asking = false
    entry.addresses = addresses
    entry.avoided = undefined
    entry.unresolved = undefined
    entry.failures = 0
    this.tell(entry, undefined)
    this.askAgain(entry, Math.min(Math.max(ttlMillis, REFRESH_MILLIS_MIN), REFRESH_MILLIS_MAX))
  }

  private failed(entry: Name, code: string): void {
    entry.asking = false
    if (entry.addresses.length === 0) entry.unresolved = { code }
    const backoffMillis = Math.min(BACKOFF_MILLIS_MIN * 2 ** Math.min(entry.failures++, 16), BACKOFF_MILLIS_MAX)
    this.tell(entry, entry.unresolved)
    this.askAgain(entry, backoffMillis)
  }

  private tell(entry: Name, unresolved: Unresolved | undefined): void {
    const waiting = entry.waiting
    entry.waiting = []
    for (const found of waiting) found(unresolved, unresolved === undefined ? this.ordered(entry) : none)
  }

  private askAgain(entry: Name, millis: number): void {
    if (this.closed || this.names.get(entry.name) !== entry) return
    const { clock } = this.options
    entry.stop = clock.after(millis, () => {
      entry.stop = undefined
      // Nobody waits for a name that failed, and nobody is served by one that was not used.
      entry.unusedMillis = entry.used ? 0 : entry.unusedMillis + millis
      entry.used = false
      const keptMillis = entry.addresses.length === 0 ? BACKOFF_MILLIS_MAX : Math.max(UNUSED_MILLIS_MAX, 2 * millis)
      if (entry.unusedMillis >= keptMillis) this.drop(entry)
      else this.ask(entry)
    })
  }
}

const forget = (): void => {}

/** What `/etc/hosts` says about a name. */
export const addressesInHosts = (text: string, name: string, family: 4 | 6): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const line of text.split("\n")) {
    const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/)
    if (address === undefined || net.isIP(address) !== family) continue
    if (names.some((one) => one.toLowerCase() === name)) found.push(address)
  }
  return found
}

/** The names to ask for, in order, as `search` and `ndots` of resolv.conf have it. */
export const candidatesOf = (text: string, name: string): ReadonlyArray<string> => {
  if (name.endsWith(".")) return [name.slice(0, -1)]
  let search: ReadonlyArray<string> = []
  let dots = 1
  for (const line of text.split("\n")) {
    const [key, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/)
    if (key === "search" || key === "domain") search = values.filter((value) => value !== ".")
    if (key === "options") {
      for (const value of values) if (/^ndots:\d{1,2}$/.test(value)) dots = Number(value.slice(6))
    }
  }
  const searched = search.map((domain) => `${name}.${domain}`)
  return name.split(".").length - 1 >= dots ? [name, ...searched] : [...searched, name]
}

const read = (path: string): Promise<string> => fs.readFile(path, "utf8").catch(() => "")

const HOSTS_TTL_MILLIS = 5_000
const SYSTEM_TTL_MILLIS = 30_000

/** Asks the hosts file, then the name servers, then whatever else the system knows. */
export const systemQuery = (hostsPath = "/etc/hosts", confPath = "/etc/resolv.conf"): Query => {
  let resolver: dns.promises.Resolver | undefined
  return async (name, family) => {
    // Some of what follows would take `127.1` or `0x7f000001` for an address, which no policy about addresses expects.
    if (/(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(name)) throw Object.assign(new Error("a number"), { code: "ENOTFOUND" })
    const inHosts = addressesInHosts(await read(hostsPath), name, family)
    if (inHosts.length > 0) return { addresses: inHosts, ttlMillis: HOSTS_TTL_MILLIS }
    resolver ??= new dns.promises.Resolver({ timeout: 2_000, tries: 2 })
    let failure: unknown
    for (const candidate of candidatesOf(await read(confPath), name)) {
      try {
        const records =
          family === 4
            ? await resolver.resolve4(candidate, { ttl: true })
            : await resolver.resolve6(candidate, { ttl: true })
        const ttlSeconds = records.reduce((least, { ttl }) => Math.min(least, ttl), Infinity)
        return { addresses: records.map(({ address }) => address), ttlMillis: ttlSeconds * 1_000 }
      } catch (error) {
        const code = codeOf(error)
        if (code !== "ENOTFOUND" && code !== "ENODATA") throw error
        failure ??= error
      }
    }
    try {
      const all = await dns.promises.lookup(name, { family, all: true })
      return { addresses: all.map(({ address }) => address), ttlMillis: SYSTEM_TTL_MILLIS }
    } catch {
      throw failure
    }
  }
}
