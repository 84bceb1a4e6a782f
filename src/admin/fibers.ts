/** What this thread is busy with: its fibers as a tree, and what of Node keeps it alive. */
import type * as Fiber from "effect/Fiber"

interface Inside {
  readonly id: number
  readonly currentOpCount: number
}

/** What Effect keeps for itself, because it shows it nowhere: whatever of it is missing is not told. */
const parentOf = (fiber: Inside): Inside | undefined => Reflect.get(fiber, "_parent") as Inside | undefined
const childrenOf = (fiber: Inside): Iterable<Inside> =>
  (Reflect.get(fiber, "_children") as Iterable<Inside> | undefined) ?? []
const isRunning = (fiber: Inside): boolean => Reflect.get(fiber, "_running") === true

export interface FiberState {
  readonly id: number
  /** What it belongs to, where that is known. */
  readonly what?: string
  /** Runs just now; else it waits. */
  readonly isRunning: boolean
  readonly operations: number
  readonly children: ReadonlyArray<FiberState>
}

export interface FiberDump {
  readonly fibers: number
  readonly roots: ReadonlyArray<FiberState>
  /** Sockets, timers and the like, by kind. */
  readonly resources: Readonly<Record<string, number>>
}

/** Fibers that are told. */
export const fibersMax = 10_000

const rootOf = (fiber: Inside): Inside => {
  let root = fiber
  for (let parent = parentOf(root); parent !== undefined; parent = parentOf(root)) root = parent
  return root
}

/** The trees that these fibers are a part of. */
export const dump = (known: Iterable<readonly [fiber: Fiber.Fiber<unknown, unknown>, what: string]>): FiberDump => {
  const named = new Map<Inside, string>()
  const roots = new Set<Inside>()
  for (const [fiber, what] of known) {
    const inside = fiber as unknown as Inside
    named.set(inside, what)
    roots.add(rootOf(inside))
  }
  let fibers = 0
  const stateOf = (fiber: Inside): FiberState => {
    fibers++
    const children: Array<FiberState> = []
    for (const child of childrenOf(fiber)) if (fibers < fibersMax) children.push(stateOf(child))
    const what = named.get(fiber)
    return {
      id: fiber.id,
      ...(what === undefined ? {} : { what }),
      isRunning: isRunning(fiber),
      operations: fiber.currentOpCount,
      children,
    }
  }
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1
  return { roots: Array.from(roots, stateOf), fibers, resources }
}
