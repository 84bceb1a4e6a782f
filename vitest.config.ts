import { defineConfig } from "vitest/config"

const setupFiles = ["./test/re2.ts"]

const project = (name: string, include: ReadonlyArray<string>, more: Record<string, unknown> = {}) => ({
  test: { name, include: [...include], exclude: ["**/node_modules/**"], passWithNoTests: true, setupFiles, ...more },
})

export default defineConfig({
  test: {
    reporters: ["default", "./test/closingLine.ts"],
    maxWorkers: 2,
    projects: [
      project("unit", ["test/**/*.test.ts"], {
        testTimeout: 30_000,
        exclude: ["test/e2e/**", "test/simulation/**", "test/conformance/**", "test/soak/**"],
      }),
      project("property", ["property-tests/**/*.prop.ts"], { testTimeout: 60_000 }),
      project("simulation", ["test/simulation/**/*.test.ts"], { testTimeout: 300_000 }),
      // Long, and at the mercy of the machine's load: run by a command of its own.
      project("soak", ["test/soak/**/*.test.ts"], { testTimeout: 300_000, fileParallelism: false }),
      project("e2e", ["test/e2e/**/*.test.ts"], { testTimeout: 60_000, hookTimeout: 60_000 }),
    ],
  },
})
