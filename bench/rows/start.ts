/** How long it takes from the start of the process to the first reply. */
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { bundled } from "../bundle.ts"
import { type Lab, once, pause } from "../Lab.ts"
import { type Bar, type Figure, figure, type Result, type Row } from "../Row.ts"

const ASK_MILLIS = 2

const root = join(import.meta.dirname, "../..")

/** What Node takes to run nothing. */
const nodeAlone = (): Promise<number> => {
  const begun = performance.now()
  return new Promise((resolve) => {
    spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }).once("exit", () => resolve(performance.now() - begun))
  })
}

const firstReply = async (
  lab: Lab,
  program: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
): Promise<number> => {
  const { file, port } = await lab.configuration({})
  await lab.upstream()
  const begun = performance.now()
  const subject = lab.start(
    "starting",
    port,
    [...program, ...(program[0]?.endsWith("gateway.ts") ? [] : ["-f"]), file],
    {
      env,
    },
  )
  while ((await once(port)) !== 200) {
    if (subject.child.exitCode !== null) throw new Error(`it ended with ${subject.child.exitCode}`)
    if (performance.now() - begun > 30_000) throw new Error("it does not answer")
    // Asking without pause would take a core from what is asked.
    await pause(ASK_MILLIS)
  }
  const took = performance.now() - begun
  await lab.stop(subject)
  return took
}

const repeated = async (times: number, one: () => Promise<number>): Promise<Figure> => {
  const millis: Array<number> = []
  for (let i = 0; i < times; i++) millis.push(await one())
  return figure(millis)
}

const times = (lab: Lab): number => (lab.settings.quick ? 1 : 7)

const started = async (
  lab: Lab,
  name: string,
  program: ReadonlyArray<string>,
  env: () => Readonly<Record<string, string>>,
): Promise<Result> => {
  const alone = await repeated(times(lab), nodeAlone)
  const ours = await repeated(times(lab), () => firstReply(lab, program, env()))
  return { floor: alone, ours, unit: "ms", figures: { [name]: ours }, more: {} }
}

const source = (): ReadonlyArray<string> => {
  const main = join(root, "src/start.cjs")
  return [existsSync(main) ? main : join(root, "bench/gateway.ts")]
}

const bar = (of: string, max: number): ReadonlyArray<Bar> => [{ of, max, unit: "ms" }]

const fromSources = { SLUICE_SOURCES: "1" }

export const startCold: Row = {
  name: "start-cold",
  path: "start to first 200, from source, nothing cached",
  floor: "node -e 0",
  bars: bar("time to first 200", 300),
  run: (lab) =>
    started(lab, "time to first 200", source(), () => ({ ...fromSources, NODE_DISABLE_COMPILE_CACHE: "1" })),
}

export const startChanged: Row = {
  name: "start-changed",
  path: "… of sources that were changed, run a second time",
  floor: "node -e 0",
  bars: bar("time to first 200", 300),
  run: async (lab) => {
    // The cache is written when a process ends by itself.
    await firstReplyThenExit(lab, source(), fromSources)
    return started(lab, "time to first 200", source(), () => fromSources)
  },
}

export const startWarm: Row = {
  name: "start-warm",
  path: "start to first 200, from source as installed (`npm start`)",
  floor: "node -e 0",
  bars: bar("time to first 200", 300),
  run: async (lab) => {
    if (spawnSync(process.execPath, [join(root, ".ci/warm.mjs")], { stdio: "ignore" }).status !== 0) {
      throw new Error("what an installation leaves behind could not be made")
    }
    return started(lab, "time to first 200", source(), () => ({}))
  },
}

const firstReplyThenExit = async (
  lab: Lab,
  program: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
): Promise<void> => {
  const { file, port } = await lab.configuration({})
  const words = program[0]?.endsWith("gateway.ts") ? [...program, file] : [...program, "-f", file]
  const subject = lab.start("caching", port, words, { env })
  await lab.answering(subject)
  const exited = new Promise((resolve) => subject.child.once("exit", resolve))
  if (words.length === 2) subject.child.disconnect()
  else subject.child.kill("SIGTERM")
  await exited
}

export const startBundled: Row = {
  name: "start-bundled",
  path: "start to first 200, bundled",
  floor: "node -e 0",
  bars: bar("time to first 200", 80),
  run: async (lab) => {
    const main = bundled(lab)
    return started(lab, "time to first 200", [main], () => ({}))
  },
}
