/** Worlds that chance makes for a terrain. Most of what happens in them is ordinary, so that faults meet a working gateway. */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { Door, Terrain } from "./Terrain.ts"
import { type Answer, type Client, Fault, Leaving, natural, type Request, type Server, type World } from "./World.ts"

type Arbitrary<A> = Arbitrary.Arbitrary<A>

const upTo = (maximum: number): Arbitrary<number> => Arbitrary.schema(natural(maximum))
const oneOf = <const L extends readonly [string | number, ...ReadonlyArray<string | number>]>(
  ...values: L
): Arbitrary<L[number]> => Arbitrary.schema(Schema.Literals(values))
const yes: Arbitrary<boolean> = Arbitrary.schema(Schema.Boolean)

/** Absent but for `percent` in a hundred; shrinks to absence. */
const rarely = <A>(percent: number, value: Arbitrary<A>): Arbitrary<A | undefined> =>
  Arbitrary.map(Arbitrary.all({ drawn: upTo(99), value }), ({ drawn, value }) =>
    drawn >= 100 - percent ? value : undefined,
  )

/** Leaves out fields that are undefined, as schemas with optional keys want it. */
type Present<A> = { readonly [K in keyof A as undefined extends A[K] ? never : K]: A[K] } & {
  readonly [K in keyof A as undefined extends A[K] ? K : never]?: Exclude<A[K], undefined>
}
const present = <A extends object>(fields: A): Present<A> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<A>

const sizes = (most: number): Arbitrary<ReadonlyArray<number>> => Arbitrary.array(upTo(most), { maxLength: 5 })

const answer: Arbitrary<Answer> = Arbitrary.map(
  Arbitrary.all({
    delayMillis: upTo(300),
    status: oneOf(200, 200, 200, 200, 201, 204, 304, 404, 429, 500, 502, 503),
    chunks: sizes(3000),
    gapMillis: upTo(40),
    declared: yes,
    fault: rarely(25, Arbitrary.schema(Fault)),
  }),
  present,
)

const server = ({ host, port }: Terrain["servers"][number]): Arbitrary<Server> =>
  Arbitrary.map(
    Arbitrary.all({
      latencyMillis: upTo(20),
      first: answer,
      more: Arbitrary.array(answer, { maxLength: 4 }),
      outages: rarely(
        20,
        Arbitrary.map(Arbitrary.all({ fromMillis: upTo(600), forMillis: upTo(500) }), (one) => [one]),
      ),
    }),
    ({ first, latencyMillis, more, outages }) => ({
      host,
      port,
      latencyMillis,
      answers: [first, ...more],
      outages: outages ?? [],
    }),
  )

const methods = oneOf("GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE")
const mayUpload = new Set(["POST", "PUT", "PATCH", "DELETE"])

const request = (doors: ReadonlyArray<Door>): Arbitrary<(port: Door) => Request> =>
  Arbitrary.map(
    Arbitrary.all({
      door: upTo(Math.max(0, doors.length - 1)),
      astray: rarely(4, oneOf("/no-such-path")),
      method: methods,
      chunks: sizes(3000),
      gapMillis: upTo(30),
      declared: yes,
      leaves: rarely(15, Arbitrary.schema(Leaving)),
    }),
    ({ astray, chunks, declared, door, gapMillis, leaves, method }) =>
      (own) => {
        const reachable = doors.filter(({ port, serverName }) => port === own.port && serverName === own.serverName)
        const { authority, headers, method: only, path } = reachable[door % reachable.length] ?? own
        const chosen = only ?? method
        const upload = mayUpload.has(chosen) && chunks.length > 0 ? { chunks, gapMillis, declared } : undefined
        return present({
          method: chosen,
          authority,
          path: astray ?? path,
          headers,
          upload,
          leaves:
            leaves?._tag === "AfterMillis"
              ? { ...leaves, millis: leaves.millis % 700 }
              : leaves?._tag === "AfterReply"
                ? { ...leaves, bytes: leaves.bytes % 4000 }
                : leaves,
        })
      },
  )

const client = (doors: ReadonlyArray<Door>, first: Door): Arbitrary<Client> =>
  Arbitrary.map(
    Arbitrary.all({
      door: upTo(Math.max(0, doors.length - 1)),
      version: oneOf("1.1", "2"),
      startMillis: upTo(400),
      latencyMillis: upTo(15),
      thinkMillis: upTo(60),
      readMillis: upTo(15),
      window: upTo(4),
      impatient: rarely(20, upTo(900)),
      vanishes: rarely(8, upTo(900)),
      requests: Arbitrary.array(request(doors), { maxLength: 6 }),
    }),
    ({ door, impatient, latencyMillis, readMillis, requests, startMillis, thinkMillis, vanishes, version, window }) => {
      const own = doors[door] ?? first
      return present({
        port: own.port,
        serverName: own.serverName,
        version,
        startMillis,
        latencyMillis,
        thinkMillis,
        readMillis,
        windowBytes: 512 << window,
        patienceMillis: impatient ?? 20_000,
        vanishesAtMillis: vanishes,
        requests: requests.map((make) => make(own)),
      })
    },
  )

export interface GenerateOptions {
  /** Clients of one world, at most. */
  readonly clientsMax?: number
  /** Of a hundred worlds, so many begin to drain while clients are still at it. */
  readonly drainPercent?: number
}

/** Worlds for the terrain of a configuration. */
export const worlds = (terrain: Terrain, options: GenerateOptions = {}): Arbitrary<World> => {
  const { clientsMax = 5, drainPercent = 20 } = options
  const [first] = terrain.doors
  if (first === undefined) throw new Error("no route of this configuration can be reached over HTTP")
  return Arbitrary.map(
    Arbitrary.all({
      servers: Arbitrary.all(terrain.servers.map(server)),
      clients: Arbitrary.array(client(terrain.doors, first), { minLength: 1, maxLength: clientsMax }),
      changes: Arbitrary.array(
        Arbitrary.all({ atMillis: upTo(1000), config: upTo(Math.max(0, terrain.configs - 1)) }),
        { maxLength: terrain.configs > 1 ? 4 : 0 },
      ),
      drainAtMillis: rarely(drainPercent, upTo(900)),
    }),
    ({ changes, clients, drainAtMillis, servers }) =>
      present({ servers, clients, changes, takenPorts: [], drainAtMillis }),
  )
}
