import { assert, describe, it } from "@effect/vitest"
import { diff } from "../../../ir/diff.ts"
import { empty } from "../../../ir/emptySnapshot.ts"
import type { ServiceKey, WorkloadKey } from "../../../ir/Key.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Service, Workload } from "../../../ir/Workload.ts"
import { Services } from "../../../stages/6-dispatch/Services.ts"
import { placeOf, type Whereabouts } from "../../../stages/6-dispatch/Whereabouts.ts"

const cart = "shop/cart" as ServiceKey

const workload = (name: string, zone: string, more: Partial<Workload> = {}): Workload => ({
  key: `shop/${name}` as WorkloadKey,
  name,
  namespace: "shop",
  addresses: [`10.0.0.${name}`],
  hostname: "",
  protocol: "TCP",
  network: "",
  trustDomain: "",
  serviceAccount: "",
  node: "",
  clusterId: "",
  locality: { region: "eu", zone, subzone: "" },
  healthy: true,
  capacity: 1,
  services: { [cart]: {} },
  ...more,
})

const gateway = (zone: string, more: Partial<Workload> = {}): Workload =>
  workload("gateway", zone, { key: `shop/gateway-${zone}` as WorkloadKey, services: {}, ...more })

const own: Whereabouts = { workload: { name: "gateway", namespace: "shop", clusterId: "west" } }

describe("where the gateway stands", () => {
  it("is nowhere when nothing is said, or nothing in what is said", () => {
    assert.strictEqual(placeOf({}, []), undefined)
    assert.strictEqual(placeOf({ said: { Region: "", Network: "" } }, []), undefined)
  })
  it("is where its own workload is, as soon as there is one", () => {
    assert.strictEqual(placeOf(own, [workload("1", "a")]), undefined)
    const place = placeOf(own, [workload("1", "b"), gateway("a", { node: "n1" })])
    assert.deepInclude(place, { Region: "eu", Zone: "a", Node: "n1" })
  })
  it("is that of its own cluster, where several have a workload of that name", () => {
    const [east, west] = [gateway("a", { clusterId: "east" }), gateway("b", { clusterId: "west" })]
    assert.strictEqual(placeOf(own, [east, west])?.Zone, "b")
    assert.strictEqual(placeOf(own, [west, east])?.Zone, "b")
  })
  it("is what was said of it as long as its workload is not known, and where that says nothing", () => {
    const said = { ...own, said: { Node: "n7", Network: "n" } }
    assert.deepStrictEqual(placeOf(said, []), { Node: "n7", Network: "n" })
    assert.deepInclude(placeOf(said, [gateway("a")]), { Zone: "a", Node: "n7", Network: "n" })
  })
})

describe("endpoints", () => {
  const service = {
    key: cart,
    name: "cart",
    namespace: "shop",
    hostname: "cart",
    vips: [],
    ports: { 80: 8080 },
    appProtocols: {},
    subjectAltNames: [],
    loadBalancer: { mode: "Failover", routingPreferences: ["Region", "Zone"], healthPolicy: "OnlyHealthy" },
  } as unknown as Service
  const snapshotOf = (...workloads: ReadonlyArray<Workload>): Snapshot => ({
    ...empty,
    services: new Map([[cart, service]]),
    workloads: new Map(workloads.map((one) => [one.key, one])),
  })
  const nearest = (services: Services): ReadonlyArray<string> => {
    const first = services.endpoints(service, 80).buckets.find(({ members }) => members.length > 0)
    return (first?.members ?? []).map(({ target }) => (target._tag === "Host" ? target.host : target.path))
  }
  const [one, two] = [workload("1", "a"), workload("2", "b")]

  it("are put in another order when the gateway's own workload comes, moves and goes", () => {
    let [services, before] = [Services.empty(own), empty]
    const take = (snapshot: Snapshot): Services => {
      services = services.next(snapshot, diff(before, snapshot))
      before = snapshot
      return services
    }
    assert.deepStrictEqual(nearest(take(snapshotOf(one, two))), ["10.0.0.1", "10.0.0.2"])
    assert.deepStrictEqual(nearest(take(snapshotOf(one, two, gateway("a")))), ["10.0.0.1"])
    const moved = { ...gateway("b"), key: gateway("a").key }
    assert.deepStrictEqual(nearest(take(snapshotOf(one, two, moved))), ["10.0.0.2"])
    assert.deepStrictEqual(nearest(take(snapshotOf(one, two))), ["10.0.0.1", "10.0.0.2"])
  })
  it("stay the same objects while somebody else's workload comes and goes", () => {
    const first = snapshotOf(one, two, gateway("a"))
    const services = Services.empty(own).next(first, diff(empty, first))
    const set = services.endpoints(service, 80)
    const second = snapshotOf(one, two, gateway("a"), workload("9", "c", { services: {} }))
    const next = services.next(second, diff(first, second))
    assert.strictEqual(next.endpoints(service, 80), set)
    assert.strictEqual(next, services)
  })
})
