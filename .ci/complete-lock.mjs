// Some registries do not carry every platform's binary of a package, and npm then leaves those out of the lock file, which
// `npm ci` refuses everywhere. Their entries follow from their names; they are never installed on another platform.
import { readFileSync, writeFileSync } from "node:fs"

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))
const packages = lock.packages

const cpus = {
  x64: "x64",
  arm64: "arm64",
  arm: "arm",
  armv7: "arm",
  ia32: "ia32",
  ppc64: "ppc64",
  ppc64le: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
  loong64: "loong64",
}
const platforms = ["android", "darwin", "freebsd", "linux", "openharmony", "win32", "netbsd", "openbsd", "sunos", "aix"]

const platformOf = (name) => {
  const words = name.split("/").at(-1).split("-")
  const os = words.find((word) => platforms.includes(word))
  const cpu = words.map((word) => cpus[word]).find((one) => one !== undefined)
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word.startsWith("gnu"))
      ? "glibc"
      : undefined
  return {
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(libc === undefined || os !== "linux" ? {} : { libc: [libc] }),
    ...(os === undefined ? {} : { os: [os] }),
  }
}

let added = 0
for (const [path, entry] of Object.entries(packages)) {
  if (path === "") continue
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].map((at) => packages[at])
    if (known.some((one) => one !== undefined)) {
      if (known.some((one) => one?.version === version) || !/^\d+\.\d+\.\d+/.test(version)) continue
      throw new Error(`${path} wants ${name} ${version}, the lock file has another: use one version of its package`)
    }
    const platform = platformOf(name)
    if (platform.os === undefined && platform.cpu === undefined) {
      throw new Error(`${name} names no platform: add it to the lock file by hand`)
    }
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name} is not pinned by ${path}: ${version}`)
    packages[`node_modules/${name}`] = { version, ...platform, ...(entry.dev ? { dev: true } : {}), optional: true }
    added++
  }
}
const ordered = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync(file, `${JSON.stringify({ ...lock, packages: ordered }, undefined, 2)}\n`)
process.stdout.write(`${added} platform packages added to the lock file\n`)
