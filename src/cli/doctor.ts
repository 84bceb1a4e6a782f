/** `sluice doctor`: whether everything that a configuration leans on is there. */
import * as Effect from "effect/Effect"
import { X509Certificate } from "node:crypto"
import * as net from "node:net"
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

const isFree = (host: string | undefined, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once("error", (error) => resolve(error.message))
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(undefined)))
  })

const certificate = (about: string, pem: string): ReadonlyArray<Finding> =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).slice(0, 1).map((one) => {
    const { subject, validFrom, validTo } = new X509Certificate(one)
    const days = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000)
    const name = subject.replaceAll("\n", ", ")
    if (Date.parse(validFrom) > Date.now()) return finding("fail", about, `${name} is not valid before ${validFrom}`)
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

const clock = async (): Promise<ReadonlyArray<Finding>> => {
  if (Date.now() < Date.parse("2026-01-01")) return [finding("fail", "clock", `says ${new Date().toISOString()}`)]
  return []
}

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
): Promise<ReadonlyArray<Finding>> => {
  const found: Array<Finding> = [...(await clock())]
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
  for (const { key, tls } of snapshot.listeners.values()) {
    if (tls !== undefined && "certificatePem" in tls) found.push(...certificate(key, String(tls.certificatePem)))
    else if (tls !== undefined && "identity" in tls) {
      const pem: unknown = Reflect.get(Object(tls.identity), "certificatePem")
      if (typeof pem === "string") found.push(...certificate(key, pem))
    }
  }
  const targets = new Map<string, HostTarget>()
  for (const backend of snapshot.backends.values()) {
    if (backend._tag === "Host") targets.set(targetText(backend.target), backend.target)
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
  if (settings.database.isNamed) {
    const { location } = settings.database
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
  for (const [provider, names] of Object.entries(providerKeys)) {
    const set = names.filter((name) => (env[name] ?? "") !== "")
    if (set.length > 0) found.push(finding("ok", provider, `${set.join(", ")} is set`))
  }
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
