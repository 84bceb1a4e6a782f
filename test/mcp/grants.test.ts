/** What people granted, wherever it is kept: in memory, in a file, in Postgres. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Context from "effect/Context"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { grantKeys, type GrantKeys, keysOf } from "../../src/mcp/grantKeys.ts"
import { component, grantsIn } from "../../src/mcp/grants.ts"
import type { Location } from "../../src/store/Location.ts"
import { sql } from "../../src/store/Statement.ts"
import { layer, Storage } from "../../src/store/Storage.ts"
import { type Grant, type Grants, inMemory } from "../../stages/ports/Grants.ts"

const folder = mkdtempSync(join(tmpdir(), "sluice-grants-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const run = <A>(effect: Effect.Effect<A, string>): Promise<A> => Effect.runPromise(effect)

const grant = (more: Partial<Grant> = {}): Grant => ({
  user: "ann",
  place: "https://a.example/mcp",
  label: "ann@example",
  target: "notes",
  issuer: "https://as.example",
  tokenEndpoint: "https://as.example/token",
  revocationEndpoint: undefined,
  client: { clientId: "c", clientSecret: "client-secret-canary", method: "client_secret_basic" },
  redirectUri: "https://g.example/cb",
  resource: "https://a.example/mcp",
  scopes: ["read"],
  accessToken: "access-canary",
  expiresMillis: 1,
  refreshToken: "refresh-canary",
  consents: 1,
  connectedMillis: 2,
  ...more,
})

interface Opened {
  readonly grants: Grants
  readonly storage: Storage["Service"]
  readonly close: () => Promise<void>
}

const opened = async (location: Location, keys: Effect.Effect<GrantKeys, string>): Promise<Opened> => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(layer(location), scope))
  const storage = Context.get(context, Storage)
  return {
    storage,
    grants: grantsIn({ store: storage.of(component), keys, clock: { wallMillis: () => Date.now() } }),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

const suite = (using: () => Promise<Grants>): void => {
  it("gives back what was granted, to that person and for that server only", async () => {
    const grants = await using()
    await run(grants.connect(grant()))
    expect((await run(grants.read({ user: "ann", place: grant().place })))?.grant).toEqual(grant())
    expect(await run(grants.read({ user: "bob", place: grant().place }))).toBeUndefined()
    expect(await run(grants.read({ user: "ann", place: "https://b.example/mcp" }))).toBeUndefined()
  })

  it("lets one of all who want to renew a version do it, and nobody renew one that is gone", async () => {
    const grants = await using()
    const one = grant({ user: "renewer" })
    const version = await run(grants.connect(one))
    const claims = await Promise.all(Array.from({ length: 8 }, () => run(grants.claim(one, version, 60_000))))
    expect(claims.filter(Boolean).length).toBe(1)
    await run(grants.release(one, version))
    expect(await run(grants.claim(one, version, 60_000))).toBe(true)
    const next = await run(grants.renew({ ...one, accessToken: "second" }, version))
    expect(next).toBeGreaterThan(version)
    expect(await run(grants.renew({ ...one, accessToken: "late" }, version))).toBeUndefined()
    expect(await run(grants.claim(one, version, 60_000))).toBe(false)
    // A new version is nobody's yet.
    expect(await run(grants.claim(one, next ?? 0, 60_000))).toBe(true)
    expect((await run(grants.read(one)))?.grant.accessToken).toBe("second")
  })

  it("is claimed anew once whoever claimed it is late", async () => {
    const grants = await using()
    const one = grant({ user: "late" })
    const version = await run(grants.connect(one))
    expect(await run(grants.claim(one, version, 0))).toBe(true)
    await expect.poll(() => run(grants.claim(one, version, 60_000))).toBe(true)
  })

  it("removes the version that is meant, and the next grant is never mistaken for it", async () => {
    const grants = await using()
    const one = grant({ user: "remover" })
    const first = await run(grants.connect(one))
    const second = await run(grants.connect({ ...one, accessToken: "second" }))
    expect(second).toBeGreaterThan(first)
    expect(await run(grants.remove(one, first))).toBeUndefined()
    expect((await run(grants.remove(one)))?.accessToken).toBe("second")
    expect(await run(grants.read(one))).toBeUndefined()
    await expect.poll(() => run(grants.connect(one))).toBeGreaterThan(second)
  })

  it("lists without what it is worth", async () => {
    const grants = await using()
    await run(grants.connect(grant({ user: "lister" })))
    await run(grants.connect(grant({ user: "lister", place: "https://b.example/mcp", refreshToken: undefined })))
    const mine = await run(grants.list("lister"))
    expect(mine.map(({ place, renews }) => [place, renews]).toSorted()).toEqual([
      ["https://a.example/mcp", true],
      ["https://b.example/mcp", false],
    ])
    expect(JSON.stringify(await run(grants.list()))).not.toContain("canary")
  })

  it("remembers who the gateway is at a server, by where codes go to", async () => {
    const grants = await using()
    const client = {
      clientId: "c1",
      clientSecret: "client-secret-canary",
      method: "client_secret_basic",
      expiresMillis: 5,
    } as const
    await run(grants.keepClient("https://as.example", "https://g.example/cb", client))
    expect(await run(grants.client("https://as.example", "https://g.example/cb"))).toMatchObject(client)
    expect(await run(grants.client("https://other.example", "https://g.example/cb"))).toBeUndefined()
    expect(await run(grants.client("https://as.example", "https://other.example/cb"))).toBeUndefined()
    await run(grants.forgetClient("https://as.example", "https://g.example/cb", "c2"))
    expect(await run(grants.client("https://as.example", "https://g.example/cb"))).toMatchObject({ clientId: "c1" })
    await run(grants.forgetClient("https://as.example", "https://g.example/cb", "c1"))
    expect(await run(grants.client("https://as.example", "https://g.example/cb"))).toBeUndefined()
  })
}

describe("in memory", () => {
  const grants = inMemory({ nowMillis: () => performance.now() })
  suite(async () => grants)
})

describe("in a file", () => {
  const path = join(folder, "own/data.db")
  const location: Location = { _tag: "File", path }
  let one: Opened
  beforeAll(async () => {
    one = await opened(location, grantKeys({ location, configured: [] }))
  })
  afterAll(() => one.close())
  suite(async () => one.grants)

  it("nothing of it can be read without the key, which only its owner can read", async () => {
    await run(one.grants.connect(grant()))
    for (const name of readdirSync(join(folder, "own"))) {
      const bytes = readFileSync(join(folder, "own", name)).toString("latin1")
      expect(bytes, name).not.toMatch(/canary|ann@example|as\.example/)
      expect(statSync(join(folder, "own", name)).mode & 0o077, name).toBe(0)
    }
    expect(readFileSync(`${path}.key`, "utf8")).toMatch(/^[0-9a-f]{64}\n$/)
  })

  it("is the same for others who open it at the same moment", async () => {
    const shared: Location = { _tag: "File", path: join(folder, "shared/data.db") }
    const all = await Promise.all(
      Array.from({ length: 4 }, () => opened(shared, grantKeys({ location: shared, configured: [] }))),
    )
    await run((all[0] as Opened).grants.connect(grant()))
    for (const { grants } of all) expect((await run(grants.read(grant())))?.grant.accessToken).toBe("access-canary")
    await Promise.all(all.map(({ close }) => close()))
  })

  it("is sealed anew with a new key, and lost with the old one before that", async () => {
    const rotated: Location = { _tag: "File", path: join(folder, "rotated.db") }
    const at = (...keys: ReadonlyArray<number>) => opened(rotated, Effect.succeed(keysOf(keys.map(key))))
    const old = await at(1)
    await run(old.grants.connect(grant()))
    await old.close()
    const both = await at(2, 1)
    expect((await run(both.grants.read(grant())))?.grant.accessToken).toBe("access-canary")
    await both.close()
    const fresh = await at(2)
    expect((await run(fresh.grants.read(grant())))?.grant.accessToken).toBe("access-canary")
    await fresh.close()
    const wrong = await at(3)
    expect(await run(wrong.grants.read(grant()))).toBeUndefined()
    await wrong.close()
  })

  it("a row in the place of another opens nothing", async () => {
    await run(one.grants.connect(grant({ user: "mallory", accessToken: "mine" })))
    await run(one.grants.connect(grant({ user: "victim" })))
    const store = await Effect.runPromise(one.storage.of(component))
    const rows = await Effect.runPromise(store.all(sql`SELECT id, owner, sealed FROM mcp_grant`, (row) => row))
    const sealedOf = async (user: string) => {
      const [shown] = await run(one.grants.list(user))
      return rows.find(({ id }) => id === shown?.id)
    }
    const [mallory, victim] = [await sealedOf("mallory"), await sealedOf("victim")]
    await Effect.runPromise(
      store.run(sql`UPDATE mcp_grant SET sealed = ${victim?.["sealed"]} WHERE id = ${mallory?.["id"]}`),
    )
    expect(await run(one.grants.read(grant({ user: "mallory" })))).toBeUndefined()
  })
})

describe("in Postgres", () => {
  let database: PGlite
  let server: PGLiteSocketServer
  let one: Opened
  const where = (): Location => ({
    _tag: "Postgres",
    url: Redacted.make(`postgres://postgres:postgres@${server.getServerConn()}/postgres`),
    connectionsMax: 2,
  })
  beforeAll(async () => {
    database = await PGlite.create()
    server = new PGLiteSocketServer({ db: database, host: "127.0.0.1", port: 0, maxConnections: 16 })
    await server.start()
    one = await opened(where(), grantKeys({ location: where(), configured: [Redacted.make("ab".repeat(32))] }))
  }, 60_000)
  afterAll(async () => {
    await one.close()
    await server.stop()
    await database.close()
  })
  suite(async () => one.grants)

  it("keys have to be configured", async () => {
    await expect(run(grantKeys({ location: where(), configured: [] }))).rejects.toThrow("config.mcp.grantKeys")
  })
})
