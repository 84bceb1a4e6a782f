/** Packs what would be published, and uses it from another folder: as a library, as a simulation, and as a program. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "sluice-package-"))
const run = (command, words, cwd) =>
  execFileSync(command, words, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const program = `
import { Gateway, Journal, Node, Source } from "sluice"
import { Snapshot } from "sluice/ir"
import { answer, client, get, server, simulate, world } from "sluice/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const gateway = Gateway.layer({ config: Source.fixed(Snapshot.empty) }).pipe(
  Layer.provide(Layer.succeed(Journal.Journal, Journal.silent)),
  Layer.provide(Node.layer()),
)
const serving = Effect.flatMap(Gateway.Gateway, ({ ready }) => ready)
await Effect.runPromise(Effect.provide(serving, gateway))
const { requests, violations } = await simulate({
  config: "binds: [{ port: 3000, listeners: [{ routes: [{ backends: [{ host: a:80 }] }] }] }]",
  world: world({ servers: [server("a:80", [answer(200)])], clients: [client(3000, [get("http://x/")])] }),
})
console.log(requests[0]?.status, violations.length)
`

try {
  run("npm", ["run", "--silent", "build"], root)
  const [{ filename }] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root),
  )
  const modules = join(folder, "node_modules")
  mkdirSync(join(modules, "sluice"), { recursive: true })
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  run("tar", ["-xzf", filename, "-C", join(modules, "sluice"), "--strip-components=1"], folder)
  writeFileSync(join(folder, "program.mjs"), program)
  const said = run(process.execPath, ["program.mjs"], folder).trim()
  if (said !== "200 0") throw new Error(`the package said ${JSON.stringify(said)}`)
  const main = join(modules, "sluice/dist/src/main.js")
  writeFileSync(
    join(folder, "gateway.yaml"),
    "binds: [{ port: 3000, listeners: [{ routes: [{ backends: [{ host: a:80 }] }] }] }]",
  )
  process.stdout.write(run(process.execPath, [main, "--version"], folder))
  run(process.execPath, [main, "validate", "gateway.yaml"], folder)
  process.stdout.write("the package works\n")
} finally {
  rmSync(folder, { recursive: true, force: true })
}
