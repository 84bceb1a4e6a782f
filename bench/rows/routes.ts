/** What the number of routes costs, and what changing one of them. */
import { renameSync } from "node:fs"
import type { Loaded } from "../load.ts"
import { freePort, type Lab, once, pause } from "../Lab.ts"
import { exactly, figure, type Row } from "../Row.ts"
import { about, compare } from "../rounds.ts"

const PATHS = 64

const pathOf = (i: number): string => `/service-${i}/v1`

const routesOf = async (lab: Lab, count: number): Promise<ReadonlyArray<unknown>> => {
  const routes: Array<unknown> = []
  for (let i = 0; i < count; i++) routes.push(await lab.route(pathOf(i)))
  return routes
}

/** The same requests for all, so that only what they are looked up in differs. */
const paths = (count: number): ReadonlyArray<string> =>
  Array.from({ length: PATHS }, (_, i) => `${pathOf(Math.floor((i * count) / PATHS))}/items/42`)

const manyRoutes = (count: number, max: number): Row => ({
  name: `routes-${count}`,
  path: `GET through ${count} routes`,
  floor: "through one route",
  bars: [
    { of: "ratio", max, unit: "×" },
    { of: "ratio, one path asked", max, unit: "×" },
  ],
  run: async (lab) => {
    const one = await lab.gateway({ name: "one" })
    const many = await lab.gateway({ name: "many", routes: await routesOf(lab, count) })
    const [floor, ours] = await compare(lab, [one, many], { paths: paths(count) })
    // Many paths in turn bring what each route has into the caches of the machine and out again; one does not.
    const [, single] = await compare(lab, [one, many], { paths: paths(count).slice(PATHS / 2, PATHS / 2 + 1) })
    if (floor === undefined || ours === undefined || single === undefined) throw new Error("nothing compared")
    return {
      floor: floor.cpu,
      ours: ours.cpu,
      unit: "CPU µs/request",
      figures: { ratio: ours.ratio, "ratio, one path asked": single.ratio },
      more: { rounds: ours.rounds.length, ...about(floor), ...about(ours) },
    }
  },
})

export const thousandRoutes = manyRoutes(1_000, 1.05)
export const tenThousandRoutes = manyRoutes(10_000, 1.1)

const patienceMillis = 30_000

const until = async (port: number, path: string): Promise<number> => {
  const begun = performance.now()
  while ((await once(port, path)) !== 200) {
    if (performance.now() - begun > patienceMillis) throw new Error(`${path} did not come to live`)
  }
  return performance.now()
}

/** Little enough that a change does not wait behind requests. */
const beside = { paths: [pathOf(1)], connections: 2 }

export const change: Row = {
  name: "change",
  path: "one route changed among 10 000",
  floor: "–",
  bars: [
    { of: "time until live, told", max: 10, unit: "ms" },
    { of: "failed requests meanwhile", max: 0, unit: "requests" },
  ],
  run: async (lab) => {
    const count = lab.settings.quick ? 100 : 10_000
    const turns = lab.settings.quick ? 2 : 15
    const gateway = await lab.embedded({ routes: await routesOf(lab, count) })
    const few = await lab.embedded({ name: "few", routes: await routesOf(lab, 10) })
    const timed = async (subject: typeof gateway) => {
      const millis: Array<number> = []
      const load = lab.load({ ...beside, port: subject.port, millis: turns * 60 + 500 })
      for (let turn = 0; turn < turns; turn++) {
        await pause(50)
        const begun = performance.now()
        subject.child.send({ change: turn })
        millis.push((await until(subject.port, `/changed-${turn}/x`)) - begun)
      }
      return { millis: figure(millis), cpuFirst: millis[0] ?? Number.NaN, loaded: await load }
    }
    const many = await timed(gateway)
    const little = await timed(few)
    return {
      ours: many.millis,
      unit: "ms until live",
      figures: { "time until live, told": many.millis, "failed requests meanwhile": exactly(many.loaded.failed) },
      more: {
        "first change ms": many.cpuFirst,
        "among 10 routes ms": little.millis.median,
        "requests meanwhile": many.loaded.requests,
      },
    }
  },
}

const sum = (loaded: ReadonlyArray<Loaded>, of: "requests" | "failed"): number =>
  loaded.reduce((total, one) => total + one[of], 0)

export const reload: Row = {
  name: "reload",
  path: "the file rewritten under load, 10 000 routes",
  floor: "–",
  bars: [{ of: "failed requests meanwhile", max: 0, unit: "requests" }],
  run: async (lab) => {
    const count = lab.settings.quick ? 100 : 10_000
    const turns = lab.settings.quick ? 1 : 4
    const routes = await routesOf(lab, count)
    const port = await freePort()
    const file = `${lab.folder}/reload.yaml`
    lab.write(file, port, routes)
    const gateway = await lab.serve(file, port, { name: "reloaded" })
    const stopped = new AbortController()
    const loaded: Array<Loaded> = []
    const loading = (async () => {
      while (!stopped.signal.aborted) {
        loaded.push(await lab.load({ port, paths: [pathOf(1)], connections: 8, millis: 500 }))
      }
    })()
    const millis: Array<number> = []
    for (let turn = 0; turn < turns; turn++) {
      await pause(200)
      const next = `${file}.next`
      lab.write(next, port, [await lab.route(`/changed-${turn}`), ...routes.slice(1)])
      const begun = performance.now()
      renameSync(next, file)
      millis.push((await until(port, `/changed-${turn}/x`)) - begun)
    }
    stopped.abort()
    await loading
    return {
      ours: figure(millis),
      unit: "ms until live",
      figures: { "failed requests meanwhile": exactly(sum(loaded, "failed")) },
      more: { "requests meanwhile": sum(loaded, "requests"), "gateway RSS MB": gateway.rssBytes() / 1e6 },
    }
  },
}
