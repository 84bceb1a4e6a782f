/**
 * Loaded before a measured process where its memory is asked for: answers what it holds, after everything that can be
 * collected was.
 */
export interface Memory {
  readonly rssBytes: number
  /** Objects, and buffers outside the heap. */
  readonly heldBytes: number
}

const collect = globalThis.gc

process.on("message", (message) => {
  if (message !== "memory") return
  collect?.()
  // What the first collection finalized goes with the second.
  setTimeout(() => {
    collect?.()
    const { external, heapUsed, rss } = process.memoryUsage()
    const memory: Memory = { rssBytes: rss, heldBytes: heapUsed + external }
    process.send?.({ memory })
  }, 100)
})
process.channel?.unref()
process.once("disconnect", () => process.exit())
