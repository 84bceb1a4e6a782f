import { assert, describe, it } from "@effect/vitest"
import { placement } from "../../../ir/placement.ts"
import { type Layer, replyOrder, requestOrder, slot } from "../../../stages/5-policy/order.ts"

const standing = (layer: Layer): ReadonlyArray<string> =>
  Object.entries(placement)
    .filter(([, row]) => (layer === "backend" ? row.backend : row.phases.includes(layer)))
    .map(([kind]) => kind)
    .sort()

const layers = ["gateway", "route", "backend"] as const

describe("the order of policies", () => {
  for (const layer of layers) {
    it(`names every kind that may stand in the ${layer} layer exactly once`, () => {
      assert.deepStrictEqual(requestOrder[layer].map(({ kind }) => kind as string).sort(), standing(layer))
    })
  }

  it("answers a preflight before it asks for credentials", () => {
    for (const layer of ["gateway", "route"] as const) {
      const kinds = requestOrder[layer].map(({ kind }) => kind as string)
      for (const later of ["Oidc", "JwtAuth", "BasicAuth", "ApiKey", "ExtAuthz", "Authorization"]) {
        assert.isBelow(kinds.indexOf("Cors"), kinds.indexOf(later))
      }
    }
  })

  it("edits replies once per kind and layer, only where the kind may stand, and then in every such layer", () => {
    const lines = replyOrder.map(({ kind, layer }) => `${layer} ${kind}`)
    assert.strictEqual(new Set(lines).size, lines.length)
    for (const kind of new Set(replyOrder.map(({ kind }) => kind))) {
      const named = replyOrder.filter((line) => line.kind === kind).map(({ layer }) => layer as string)
      assert.deepStrictEqual(
        named.sort(),
        layers.filter((layer) => standing(layer).includes(kind)).sort() as Array<string>,
      )
    }
  })

  it("gives each its slot in reply order, and none to a kind that never edits replies", () => {
    replyOrder.forEach(({ kind, layer }, index) => assert.strictEqual(slot(kind, layer), index))
    assert.isBelow(slot("ResponseHeaderModifier", "route"), slot("ResponseHeaderModifier", "backend"))
    assert.isBelow(slot("Transformations", "gateway"), slot("Cors", "gateway"))
    assert.throws(() => slot("Delay", "route"), /Delay/)
    assert.throws(() => slot("Buffer", "gateway"), /gateway/)
  })
})
