import { describe, expect, it } from "vitest"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pages, root } from "./blocks.ts"

const all = [...pages(), "CONTRIBUTING.md", "SECURITY.md", "stages/README.md"]

/** Code may look like a link. */
const proseOf = (path: string): string => readFileSync(join(root, path), "utf8").replaceAll(/```.*?```/gs, "")

/** The name that a heading is reached by. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-")

const anchors = new Map(
  all.map((path) => [
    path,
    new Set(Array.from(proseOf(path).matchAll(/^#+ (.*)$/gm), ([, text = ""]) => anchorOf(text))),
  ]),
)

describe("the pages", () => {
  it("link to pages, files and headings that are there", () => {
    const broken = all.flatMap((page) =>
      Array.from(proseOf(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g), ([, link = ""]) => link).filter(
        (link) => {
          const [path = "", anchor] = link.split("#", 2)
          const target = path === "" ? page : join(dirname(page), path)
          return !existsSync(join(root, target)) || (anchor !== undefined && anchors.get(target)?.has(anchor) === false)
        },
      ),
    )
    expect(broken).toEqual([])
  })
})
