/** What this thread spends its time or its memory on, in the formats that the tools of Chromium read. */
import { Session } from "node:inspector/promises"

const samplingMicros = 1_000

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

let isRunning = false

/** JSON; undefined while another profile is being taken. */
export const profile = async (kind: "cpu" | "heap", millis: number): Promise<string | undefined> => {
  if (isRunning) return undefined
  isRunning = true
  const session = new Session()
  session.connect()
  try {
    if (kind === "cpu") {
      await session.post("Profiler.enable")
      await session.post("Profiler.setSamplingInterval", { interval: samplingMicros })
      await session.post("Profiler.start")
      await pause(millis)
      const { profile } = await session.post("Profiler.stop")
      return JSON.stringify(profile)
    }
    await session.post("HeapProfiler.startSampling")
    await pause(millis)
    const { profile } = await session.post("HeapProfiler.stopSampling")
    return JSON.stringify(profile)
  } finally {
    session.disconnect()
    isRunning = false
  }
}
