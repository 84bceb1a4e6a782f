/** The fenced blocks of a Markdown page, with the line each begins on. */
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Block {
  readonly page: string
  readonly line: number
  readonly language: string
  readonly text: string
}

export const blocksOf = (page: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let open: { line: number; language: string; lines: Array<string> } | undefined
  for (const [i, line] of fs.readFileSync(path.join(root, page), "utf8").split("\n").entries()) {
    if (open === undefined) {
      const language = /^```(\S*)/.exec(line)?.[1]
      if (language !== undefined) open = { line: i + 1, language, lines: [] }
    } else if (line.startsWith("```")) {
      blocks.push({ page, line: open.line, language: open.language, text: `${open.lines.join("\n")}\n` })
      open = undefined
    } else open.lines.push(line)
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: a block without an end`)
  return blocks
}

/** Every page a user may read. */
export const pages = (): ReadonlyArray<string> => [
  "README.md",
  ...fs
    .readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => path.join("docs", name))
    .toSorted(),
]
