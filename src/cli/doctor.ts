/** `sluice doctor`: whether everything that a configuration leans on is there. */
import * as Effect from "effect/Effect"
import { X509Certificate } from "node:crypto"
import { accessSync, constants, existsSync, statSync } from "node:fs"
import * as net from "node:net"
import { delimiter, dirname, join, resolve } from "node:path"
import * as Redacted from "effect/Redacted"
import type { Backend } from "../../ir/Backend.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { HostTarget } from "../../ir/Backend.ts"
import { formatAll } from "../config/ConfigIssue.ts"
import { describe as describeStorage } from "../store/Location.ts"
import { layer as storageLayer, Storage } from "../store/Storage.ts"
import { adminClient } from "./adminClient.ts"
import { type Printed, readFor } from "./validate.ts"

export type Grade = "ok" | "warn" | "fail"

export interface Finding {
  readonly grade: Grade
  readonly about: string
  readonly message: string
}

const finding = (grade: Grade, about: string, message: string): Finding => ({ grade, about, message })

const connectMillis = 3_000
const soonDays = 21
/** By how much clocks may differ before tokens and certificates suffer. */
const skewSecondsMax = 30

const targetText = (target: HostTarget): string =>
  target._tag === "Unix" ? target.path : `${target.host}:${target.port}`

const reach = (target: HostTarget): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = target._tag === "Unix" ? net.connect({ path: target.path }) : net.connect(target.port, target.host)
    const end = (why: string | undefined): void => {
      socket.destroy()
      resolve(why)
    }
    socket.setTimeout(connectMillis, () => end(`no connection within ${connectMillis / 1000} s`))
    socket.once("connect", () => end(undefined))
    socket.once("error", (error) => end(error.message || String(Reflect.get(error, "code"))))
  })

/** A file that is not there yet is not made here: it is enough that it could be. A text says why not. */
const couldBeMade = (path: string): string | undefined => {
  let folder = dirname(resolve(path))
  while (!existsSync(folder)) folder = dirname(folder)
  if (!statSync(folder).isDirectory()) return `${folder} is no folder`
  try {
    accessSync(folder, constants.W_OK)
    return undefined
  } catch {
    return `nothing can be written in ${folder}`
  }
}

const isFree = (host: string | undefined, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once("error", (error) => resolve(error.message))
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(undefined)))
  })

const certificate = (about: string, pem: string, nowMillis: number): ReadonlyArray<Finding> =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((one) => {
    let read: X509Certificate
    try {
      read = new X509Certificate(one)
    } catch {
      return finding("fail", about, "a certificate that cannot be read")
    }
    const { subject, validFrom, validTo } = read
    const days = Math.floor((Date.parse(validTo) - nowMillis) / 86_400_000)
    const name = subject.replaceAll("\n", ", ")
    if (Date.parse(validFrom) > nowMillis) return finding("fail", about, `${name} is not valid before ${validFrom}`)
    if (days < 0) return finding("fail", about, `${name} ended on ${validTo}`)
    return finding(days < soonDays ? "warn" : "ok", about, `${name} ends in ${days} days`)
  })

/** Variables by which the providers' own libraries find their keys. */
const providerKeys: Readonly<Record<string, ReadonlyArray<string>>> = {
  openAI: ["OPENAI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  gemini: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
  bedrock: ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"],
}

/** Certificates of listeners, with their chains, and those that the gateway shows to others. */
const certificatesIn = (snapshot: Snapshot): ReadonlyArray<readonly [about: string, pem: string]> => {
  const found = new Map<string, string>()
  const look = (about: string, value: unknown): void => {
    if (typeof value !== "object" || value === null || Redacted.isRedacted(value)) return
    for (const [name, one] of Object.entries(value)) {
      if (typeof one !== "string" || !one.includes("BEGIN CERTIFICATE")) look(about, one)
      else if (/^(?:certificate|cert)/i.test(name) && !found.has(one)) found.set(one, about)
    }
  }
  for (const { key, tls } of snapshot.listeners.values()) look(key, tls)
  for (const backend of snapshot.backends.values())
    look(backend.key, "policies" in backend ? backend.policies : undefined)
  return Array.from(found, ([pem, about]) => [about, pem])
}

/** Where a backend leads, as far as the configuration itself says it. */
const targetsIn = (backend: Backend): ReadonlyArray<HostTarget> => {
  switch (backend._tag) {
    case "Host":
      return [backend.target]
    case "Llm":
    case "Models": {
      const found: Array<HostTarget> = []
      const look = (value: unknown): void => {
        if (typeof value !== "object" || value === null || Redacted.isRedacted(value)) return
        const target: unknown = Reflect.get(value, "target")
        if (isTarget(target)) found.push(target)
        for (const one of Array.isArray(value) ? value : Object.values(value)) look(one)
      }
      look(backend)
      return found
    }
    default:
      return []
  }
}

const isTarget = (value: unknown): value is HostTarget =>
  typeof value === "object" &&
  value !== null &&
  (Reflect.get(value, "_tag") === "Host" ? typeof Reflect.get(value, "port") === "number" : false)

/** Programs that servers of tools are, which must be found where the gateway would look for them. */
const programs = (snapshot: Snapshot, env: NodeJS.ProcessEnv): ReadonlyArray<Finding> => {
  const commands = new Map<string, string>()
  for (const backend of snapshot.backends.values()) {
    if (backend._tag !== "Mcp") continue
    for (const target of backend.targets) if (target._tag === "Stdio") commands.set(target.process.command, target.name)
  }
  return Array.from(commands, ([command, name]) => {
    const places = command.includes("/")
      ? [command]
      : (env["PATH"] ?? "").split(delimiter).map((one) => join(one, command))
    const isThere = places.some((place) => {
      try {
        accessSync(place, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
    return isThere
      ? finding("ok", name, `${command} can be started`)
      : finding("fail", name, `${command} is no program that can be started`)
  })
}

/** A provider that the configuration has, but nobody's key; clients may bring their own, so that is no fault. */
const keys = (snapshot: Snapshot, env: NodeJS.ProcessEnv): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  const bare = new Set<string>()
  for (const backend of snapshot.backends.values()) {
    if (backend._tag !== "Llm" && backend._tag !== "Models") continue
    for (const { policies, vendor } of providersIn(backend)) {
      if (!policies.some(({ _tag }) => _tag === "BackendAuth")) bare.add(vendor)
    }
  }
  for (const [provider, names] of Object.entries(providerKeys)) {
    const set = names.filter((name) => (env[name] ?? "") !== "")
    if (set.length > 0) found.push(finding("ok", provider, `${set.join(", ")} is set`))
    else if (bare.has(provider.toLowerCase())) {
      found.push(finding("warn", provider, `has no key: clients have to bring their own, or set ${names[0] ?? ""}`))
    }
  }
  return found
}

interface ProviderFacts {
  readonly vendor: string
  readonly policies: ReadonlyArray<{ readonly _tag: string }>
}

const providersIn = (value: unknown): ReadonlyArray<ProviderFacts> => {
  if (typeof value !== "object" || value === null || Redacted.isRedacted(value)) return []
  const vendor: unknown = Reflect.get(value, "vendor")
  const tag: unknown = typeof vendor === "object" && vendor !== null ? Reflect.get(vendor, "_tag") : undefined
  const policies: unknown = Reflect.get(value, "policies")
  const own =
    typeof tag === "string" && Array.isArray(policies)
      ? [{ vendor: tag.toLowerCase(), policies: policies as ProviderFacts["policies"] }]
      : []
  return [...own, ...(Array.isArray(value) ? value : Object.values(value)).flatMap(providersIn)]
}

/** When this was written: a clock before that is wrong. */
const writtenMillis = Date.parse("2026-01-01")

const clock = (nowMillis: number): ReadonlyArray<Finding> =>
  nowMillis < writtenMillis
    ? [finding("fail", "clock", `says ${new Date(nowMillis).toISOString()}, which cannot be`)]
    : [finding("ok", "clock", `says ${new Date(nowMillis).toISOString()}`)]

/** A server that answers over HTTP says what time it has. */
const skew = async (target: HostTarget): Promise<number | undefined> => {
  if (target._tag === "Unix") return undefined
  try {
    const reply = await fetch(`http://${target.host}:${target.port}/`, {
      method: "HEAD",
      signal: AbortSignal.timeout(connectMillis),
    })
    const date = Date.parse(reply.headers.get("date") ?? "")
    return Number.isNaN(date) ? undefined : Math.abs(date - Date.now()) / 1000
  } catch {
    return undefined
  }
}

const running = async (admin: string | undefined, env: NodeJS.ProcessEnv): Promise<boolean> => {
  try {
    await adminClient(admin, env).ask("GET", "/version")
    return true
  } catch {
    return false
  }
}

export const examine = async (
  file: string | undefined,
  admin: string | undefined,
  env: NodeJS.ProcessEnv,
  nowMillis = Date.now(),
): Promise<ReadonlyArray<Finding>> => {
  const found: Array<Finding> = [...clock(nowMillis)]
  const [major = 0] = process.versions.node.split(".").map(Number)
  found.push(finding(major >= 22 ? "ok" : "fail", "node", `version ${process.versions.node}`))
  const isRunning = await running(admin, env)
  found.push(
    isRunning
      ? finding("ok", "gateway", `answers at ${adminClient(admin, env).url}`)
      : finding("ok", "gateway", "none is running here; its ports are tried instead"),
  )
  if (file === undefined) return found
  const read = await readFor(file, env)
  if (read._tag === "Refused") {
    return [...found, finding("fail", file, `cannot be used:\n${formatAll(read.issues, file)}`)]
  }
  const { snapshot, static: settings, warnings } = read.loaded
  found.push(
    finding(
      warnings.length === 0 ? "ok" : "warn",
      file,
      warnings.length === 0 ? "is valid" : formatAll(warnings, file),
    ),
  )

  if (!isRunning) {
    for (const { address, key } of snapshot.binds.values()) {
      if (address._tag !== "Ip" || address.port === 0) continue
      const taken = await isFree(address.host, address.port)
      found.push(
        taken === undefined
          ? finding("ok", key, `port ${address.port} is free`)
          : finding("fail", key, `port ${address.port} cannot be opened: ${taken}`),
      )
    }
  }
  for (const [about, pem] of certificatesIn(snapshot)) found.push(...certificate(about, pem, nowMillis))
  const targets = new Map<string, HostTarget>()
  for (const backend of snapshot.backends.values()) {
    for (const target of targetsIn(backend)) targets.set(targetText(target), target)
  }
  const reached = await Promise.all([...targets.values()].map(async (target) => [target, await reach(target)] as const))
  for (const [target, why] of reached) {
    found.push(
      why === undefined
        ? finding("ok", targetText(target), "can be reached")
        : finding("fail", targetText(target), `cannot be reached: ${why}`),
    )
  }
  const skews = await Promise.all(reached.flatMap(([target, why]) => (why === undefined ? [skew(target)] : [])))
  const worst = Math.max(0, ...skews.flatMap((one) => (one === undefined ? [] : [one])))
  if (worst > skewSecondsMax)
    found.push(finding("warn", "clock", `differs by ${Math.round(worst)} s from that of a target`))
  const { location } = settings.database
  if (settings.database.isNamed && location._tag === "File" && !existsSync(location.path)) {
    const why = couldBeMade(location.path)
    found.push(
      why === undefined
        ? finding("ok", "database", `${describeStorage(location)} is not there yet, and can be made`)
        : finding("fail", "database", `${describeStorage(location)}: ${why}`),
    )
  } else if (settings.database.isNamed) {
    const open = Effect.scoped(
      Effect.provide(
        Effect.flatMap(Storage, ({ check }) => check),
        storageLayer(location),
      ),
    )
    found.push(
      await Effect.runPromise(
        Effect.match(open, {
          onFailure: ({ message }) => finding("fail", "database", `${describeStorage(location)}: ${message}`),
          onSuccess: () => finding("ok", "database", `${describeStorage(location)} can be used`),
        }),
      ),
    )
  }
  found.push(...programs(snapshot, env), ...keys(snapshot, env))
  return found
}

const marks: { readonly [G in Grade]: string } = { ok: "ok  ", warn: "warn", fail: "FAIL" }

export const doctor = async (
  file: string | undefined,
  admin: string | undefined,
  json: boolean,
  env: NodeJS.ProcessEnv,
): Promise<Printed> => {
  const found = await examine(file, admin, env)
  const failed = found.some(({ grade }) => grade === "fail")
  const out = json
    ? `${JSON.stringify(found, null, 2)}\n`
    : found.map(({ about, grade, message }) => `${marks[grade]}  ${about}: ${message}\n`).join("")
  return { out, error: "", exitCode: failed ? 1 : 0 }
}
