/** What the collector is told: about bodies that pass through, and about the end of the start. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Older engines do not know the flag and complain about it aloud. */
const ENGINE_MIN = 14

/**
 * By default every 64 MB of buffers that were ever read bring on a collection of the whole heap, however little of it
 * is garbage. Counted as part of the heap, buffers of bodies die young and cheaply, and a full collection comes with
 * the growth of the whole. To be called where the process is ours alone.
 */
export const countBuffersAsHeap = (): void => {
  if (Number.parseInt(process.versions.v8, 10) >= ENGINE_MIN) {
    setFlagsFromString("--external-memory-accounted-in-global-limit")
  }
}

/**
 * Gives back to the system what the start has left behind, a sixth of all that an idle gateway holds. It stops the thread
 * for some hundredths of a second, so it is for a moment without work.
 */
export const collectAfterStart = (): void => {
  setFlagsFromString("--expose-gc")
  const collect: unknown = runInNewContext("globalThis.gc")
  setFlagsFromString("--no-expose-gc")
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" })
}
