import type { Kind } from "../../../../protocols/lock/hash.ts"
import type { Judged } from "../../lock/ServerLock.ts"
import type { Caller } from "../target/McpTarget.ts"

/** In place of the hash of what a client was shown: it was kept from it. */
export const kept = ""

const clientsMax = 20_000

const clientOf = ({ principal, session }: Caller): string => `${session ?? ""} ${principal}`

/** What each client was shown last: whoever decides to use something decided about that. */
export class LastShown {
  /** Hashes by kind and name. */
  private readonly clients = new Map<string, Map<string, string>>()

  /** `isFirst`: what follows belongs to a list that begins here. */
  note(caller: Caller, kind: Kind, { hidden, shown }: Judged, isFirst: boolean): void {
    const key = clientOf(caller)
    let client = this.clients.get(key)
    if (client === undefined) {
      if (this.clients.size >= clientsMax)
        for (const oldest of [...this.clients.keys()].slice(0, clientsMax / 10)) this.clients.delete(oldest)
      this.clients.set(key, (client = new Map()))
    }
    if (isFirst) for (const one of client.keys()) if (one.startsWith(`${kind} `)) client.delete(one)
    for (const name of hidden) client.set(`${kind} ${name}`, kept)
    for (const { item } of shown) client.set(`${kind} ${item.name}`, item.hash)
  }

  /** The hash, or `kept`; undefined: it was not told anything of that name. */
  hash(caller: Caller, kind: Kind, name: string): string | undefined {
    return this.clients.get(clientOf(caller))?.get(`${kind} ${name}`)
  }

  /** What was kept from clients may be shown to them by now. */
  forgetKept(): void {
    for (const client of this.clients.values()) {
      for (const [name, hash] of client) if (hash === kept) client.delete(name)
    }
  }

  forget(caller: Caller): void {
    this.clients.delete(clientOf(caller))
  }

  clear(): void {
    this.clients.clear()
  }
}
