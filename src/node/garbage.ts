/** How the collector is told about bodies that pass through. */
import { setFlagsFromString } from "node:v8"

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
