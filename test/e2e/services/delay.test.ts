import { afterEach, expect, it } from "vitest"
import { type Closing, start } from "./place.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

it("a delay holds for the requests of its condition only", async () => {
  const delayed = `delay: {conditional: [{condition: 'request.path == "/slow"', duration: 300ms}, {condition: 'request.path == "/computed"', duration: 'request.method == "GET" ? 300 : 0'}]}`
  const place = await start(closing, delayed)
  const millis = async (path: string, method = "GET") => {
    const begunAt = performance.now()
    await place.reached(path, { method })
    return performance.now() - begunAt
  }
  await millis("/")
  expect(await millis("/slow")).toBeGreaterThan(295)
  expect(await millis("/computed")).toBeGreaterThan(295)
  const direct = await Promise.all(Array.from({ length: 5 }, () => millis("/")))
  expect(Math.min(...direct)).toBeLessThan(290)
  expect(place.gateway.told.exchanges.length).toBe(8)
})
