import { describe, expect, it } from "vitest"
import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"

const root = join(import.meta.dirname, "..")

const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))

const sources = ["ir", "protocols", "stages", "src"].flatMap(filesBelow).filter((path) => path.endsWith(".ts"))
const tests = [...filesBelow("test"), ...filesBelow("property-tests")]
const textOf = (path: string): string => readFileSync(join(root, path), "utf8")

/** Where a pattern occurs, as `file:line`, comments left out. */
const places = (paths: ReadonlyArray<string>, pattern: RegExp): ReadonlyArray<string> =>
  paths.flatMap((path) =>
    textOf(path)
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line.replace(/\/\/.*$|^\s*\*.*$|^\s*\/\*\*.*$/, "")) ? [`${path}:${index + 1}`] : [],
      ),
  )

describe("the tree", () => {
  it("has no drawer for what belongs nowhere", () => {
    const drawers = /^(utils?|helpers?|common|shared|manager|handler|processor|misc|types)$/i
    const named = [...sources, ...tests].filter((path) =>
      path.split("/").some((part) => drawers.test(basename(part, ".ts"))),
    )
    expect(named).toEqual([])
  })

  it("exports nothing called then, which would turn a module into a promise", () => {
    expect(places(sources, /^export (const|function|\{[^}]*\b)?\s*then\b/)).toEqual([])
  })

  it("takes time and chance from ports", () => {
    const guarded = sources.filter(
      (path) => path.startsWith("stages/") || path.startsWith("ir/") || path.startsWith("protocols/"),
    )
    expect(
      places(guarded, /\bDate\.now\(|\bMath\.random\b|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\(/),
    ).toEqual([])
  })

  it("builds no generator per call on the request path", () => {
    const path = sources.filter((one) => /^stages\/|^protocols\//.test(one))
    expect(places(path, /\bEffect\.gen\(/)).toEqual([])
  })

  it("explains every any and every suppressed check", () => {
    expect(places(sources, /\bas any\b|@ts-ignore|@ts-nocheck/)).toEqual([])
  })

  it("has a test for every policy: one of its name, or one that calls it", () => {
    const named = new Set(
      tests
        .filter((path) => /\.(test|prop)\.ts$/.test(path))
        .map((path) => basename(path).replace(/\.(test|prop)\.ts$/, "")),
    )
    const texts = tests.filter((path) => path.endsWith(".ts")).map(textOf)
    const policies = sources
      .filter((path) => dirname(path) === "stages/5-policy")
      .map((path) => basename(path, ".ts"))
      .filter((name) => /^[a-z]/.test(name))
    /** What several policies are made of is tested through each of them. */
    const parts = new Set(["destination", "headerEdits", "keyed"])
    const called = (name: string): boolean => texts.some((text) => text.includes(`/5-policy/${name}.ts"`))
    expect(policies.filter((name) => !named.has(name) && !called(name) && !parts.has(name))).toEqual([])
  })

  it("speaks of the product only", () => {
    const own = [...sources, ...tests, ...filesBelow("docs")].filter((path) => path !== "test/tidy.test.ts")
    const words = [["/wo", "rk/"].join(""), ["help", "er-"].join(""), ["issue ", "#"].join("")]
    expect(own.filter((path) => words.some((word) => textOf(path).includes(word)))).toEqual([])
  })

  it("locks every platform's binaries, whatever the registry in use happens to carry", () => {
    const { packages } = JSON.parse(textOf("package-lock.json")) as {
      packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>
    }
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          path !== "" &&
          packages[`node_modules/${name}`] === undefined &&
          packages[`${path}/node_modules/${name}`] === undefined,
      ),
    )
    expect(missing, "run node .ci/complete-lock.mjs").toEqual([])
  })

  it("names no registry in the lock file", () => {
    expect(textOf("package-lock.json")).not.toMatch(/"resolved":/)
  })
})
