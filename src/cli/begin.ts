/**
 * Begins with what takes longest, the reading of the configuration, so that it goes on while the rest of
 * the program is loaded.
 */
import * as Loading from "../config/loading.ts"
import type { Input } from "./input.ts"

export interface Begun {
  readonly input: Input
  readonly job: Loading.Job
  readonly outcome: Promise<Loading.Outcome>
  /** Ends the sample behind the embedded example. */
  readonly closeSample: () => void
}

export const begin = async (input: Input, environment: NodeJS.ProcessEnv): Promise<Begun> => {
  const loading = Loading.begin()
  let env: Loading.Job["env"] = { ...environment }
  let closeSample = (): void => {}
  if (input.isEmbedded) {
    const { startSample } = await import("../embedded/sample.ts")
    const sample = await startSample()
    closeSample = sample.close
    env = { ...env, ...sample.environment }
  }
  const job = { file: input.path, env, ...(input.text === undefined ? {} : { text: input.text }) }
  loading.load(job)
  return { input, job, outcome: loading.outcome, closeSample }
}
