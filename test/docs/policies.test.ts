/** Every kind of policy has a page, and on it an example that the other tests of examples load. */
import { expect, it } from "vitest"
import { placement } from "../../ir/placement.ts"
import { notBuilt } from "../../src/config/local/built.ts"
import { blocksOf, pages } from "./blocks.ts"

const examples = pages()
  .flatMap(blocksOf)
  .filter(({ language }) => language === "yaml")
  .map(({ text }) => text)

it("every kind of policy that is built stands in an example", () => {
  const kinds = Object.values(placement).map(({ spelling }) => spelling)
  const missing = kinds.filter(
    (spelling) =>
      !(notBuilt.policies as ReadonlyArray<string>).includes(spelling) &&
      !examples.some((text) => new RegExp(`(?:^|[\\s{,])${spelling}:`, "m").test(text)),
  )
  expect(missing).toEqual([])
})
