import type { Kind } from "../../../protocols/lock/hash.ts"
import { type Item, itemOf } from "../../../protocols/lock/Item.ts"

/** What a server says, read once: servers repeat themselves. */
export class Definitions {
  private readonly digest: (text: string) => string
  private readonly byText = new Map<string, Item>()
  private readonly byHash = new Map<string, Item>()

  constructor(digest: (text: string) => string) {
    this.digest = digest
  }

  /** Undefined: it cannot be named. */
  read(kind: Kind, text: string): Item | undefined {
    const key = `${kind} ${text}`
    const known = this.byText.get(key)
    if (known !== undefined) return known
    const item = itemOf(kind, text, this.digest)
    if (item === undefined) return undefined
    if (this.byText.size >= itemsMax) {
      this.byText.clear()
      this.byHash.clear()
    }
    this.byText.set(key, item)
    this.byHash.set(item.hash, item)
    return item
  }

  /** One that was read lately. */
  find(hash: string): Item | undefined {
    return this.byHash.get(hash)
  }
}

export const itemsMax = 20_000
