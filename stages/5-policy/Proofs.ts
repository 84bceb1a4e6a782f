/**
 * What was proved once need not be proved again: results by the digest of a credential. Only so many are kept, each as
 * long as it holds, and many who ask for the same proof at once share one.
 */
export class Proofs<A> {
  private readonly sizeMax: number
  private readonly results = new Map<string, { readonly value: A; readonly untilMillis: number }>()
  private readonly inProgress = new Map<string, Promise<A>>()

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
  }

  get(digest: string, nowMillis: number): A | undefined {
    const known = this.results.get(digest)
    if (known === undefined) return undefined
    if (nowMillis < known.untilMillis) return known.value
    this.results.delete(digest)
    return undefined
  }

  /** Beyond the bound the oldest goes; whoever needs it proves it again. */
  put(digest: string, value: A, untilMillis: number): void {
    this.results.delete(digest)
    if (this.results.size >= this.sizeMax) {
      for (const oldest of this.results.keys()) {
        this.results.delete(oldest)
        break
      }
    }
    this.results.set(digest, { value, untilMillis })
  }

  /** Nothing that was proved holds any more. */
  clear(): void {
    this.results.clear()
    this.inProgress.clear()
  }

  once(digest: string, prove: () => Promise<A>): Promise<A> {
    const running = this.inProgress.get(digest)
    if (running !== undefined) return running
    const started: Promise<A> = prove().finally(() => {
      if (this.inProgress.get(digest) === started) this.inProgress.delete(digest)
    })
    this.inProgress.set(digest, started)
    return started
  }

  get size(): number {
    return this.results.size
  }
}
