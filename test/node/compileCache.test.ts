import { expect, it } from "vitest"
import { keepIn } from "../../src/node/compileCache.ts"

it("compiled code is kept by every Node that runs the package, whatever it takes to be told", () => {
  const told: Array<unknown> = []
  keepIn("/cache", (where: unknown) => void told.push(where))
  keepIn("/cache", (where: unknown) => {
    if (typeof where !== "string") throw new TypeError("cacheDir should be a string")
    told.push(where)
  })
  expect(told).toEqual([{ directory: "/cache", portable: true }, "/cache"])
})
