import * as fs from "node:fs"
import * as path from "node:path"
import { expect, it } from "vitest"
import { celReferencePath, celReferenceText } from "../../src/cel/reference.ts"
import { notBuiltPath, notBuiltText } from "../../src/config/local/notBuilt.ts"
import { blocksOf, pages, root } from "./blocks.ts"

it("what is refused by name is what the page lists; `npm run reference` writes it", () => {
  expect(fs.readFileSync(path.join(root, notBuiltPath), "utf8")).toBe(notBuiltText())
})

it("what expressions may say is on their page; `npm run reference` writes it", () => {
  expect(fs.readFileSync(path.join(root, celReferencePath), "utf8")).toBe(celReferenceText())
})

it("every setting of the process that the environment may give is in the table", () => {
  const source = fs.readFileSync(path.join(root, "src/config/Static.ts"), "utf8")
  const page = fs.readFileSync(path.join(root, "docs/configuration.md"), "utf8")
  const names = new Set(
    Array.from(source.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|GATEWAY|NAMESPACE|LOCALITY)"/g), ([, name]) => name),
  )
  expect(names.size).toBeGreaterThan(15)
  expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

it("pages link to pages that exist", () => {
  const broken: Array<string> = []
  for (const page of pages()) {
    let text = fs.readFileSync(path.join(root, page), "utf8")
    for (const block of blocksOf(page)) text = text.replace(block.text, "")
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const target = link.split("#")[0] ?? ""
      if (target === "" || /^[a-z]+:/.test(target)) continue
      if (!fs.existsSync(path.resolve(root, path.dirname(page), target))) broken.push(`${page}: ${link}`)
    }
  }
  expect(broken).toEqual([])
})
