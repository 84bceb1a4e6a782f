/** `sluice lock`: what servers and agents say that nobody has approved, and what is decided about it. */
import { readFile } from "node:fs/promises"
import { legible } from "../../protocols/lock/difference.ts"
import { isApproved } from "../../stages/ports/Locks.ts"
import { type AdminClient, adminClient, AdminFailure, asking, done } from "./adminClient.ts"
import type { LockAsked } from "./lockAsked.ts"
import type { Printed } from "./validate.ts"

interface Finding {
  readonly server: string
  readonly kind: string
  readonly name: string
  readonly hash: string
  readonly grade: string
  readonly action: string
  readonly reasons: ReadonlyArray<string>
  readonly file: string
  readonly difference: string
}

const found = async (client: AdminClient, { hash, kind, name, server }: LockAsked): Promise<ReadonlyArray<Finding>> => {
  const { findings } = (await (await client.ask("GET", "/api/tool-lock")).json()) as {
    readonly findings: ReadonlyArray<Finding>
  }
  return findings.filter(
    (one) =>
      (server === undefined || one.server === server) &&
      (kind === undefined || one.kind === kind) &&
      (name === undefined || one.name === name) &&
      (hash === undefined || one.hash === hash),
  )
}

const called = ({ kind, name, server }: Finding): string =>
  legible(`${server}: ${kind}${name === "" ? "" : ` ${name}`}`)

const lineOf = (one: Finding): string =>
  `${called(one)}  ${one.grade}, ${one.action}  ${one.hash === "" ? "gone" : one.hash}\n${one.reasons.map((why) => `    ${legible(why)}\n`).join("")}`

const listed = (findings: ReadonlyArray<Finding>, { json }: LockAsked, more: boolean): string =>
  json
    ? `${JSON.stringify(findings, null, 2)}\n`
    : findings.length === 0
      ? "nothing is said that nobody has approved\n"
      : findings.map((one) => (more ? `${lineOf(one)}\n${one.difference}\n\n` : lineOf(one))).join("")

const approved = async (client: AdminClient, asked: LockAsked): Promise<Printed> => {
  const findings = await found(client, asked)
  if (findings.length === 0) throw new AdminFailure("nothing is to be decided about it")
  const said: Array<string> = []
  for (const one of findings) {
    const rivals = findings.filter(({ kind, name }) => kind === one.kind && name === one.name)
    // Which of several is meant must not be left to chance.
    if (rivals.length > 1) {
      throw new AdminFailure(
        `${called(one)} was seen to say different things; name one with --hash: ${rivals.map(({ hash }) => hash).join(", ")}`,
      )
    }
  }
  for (const { file, hash, kind, name, server, ...rest } of findings) {
    await client.ask("POST", "/api/tool-lock/approve", {
      server,
      kind,
      name,
      ...(hash === "" ? {} : { hash }),
      ...(file === "" ? {} : { file }),
    })
    said.push(`${hash === "" ? "forgotten" : "approved"}  ${called({ ...rest, file, hash, kind, name, server })}\n`)
  }
  return done(said.join(""))
}

/** A file alone: whether it is whole, and whether somebody has approved everything in it. */
const checkedFile = async (file: string): Promise<Printed> => {
  const failed = (why: string): Printed => ({ out: "", error: `sluice: ${file}: ${why}\n`, exitCode: 1 })
  let text: string
  try {
    text = await readFile(file, "utf8")
  } catch (cause) {
    return failed(cause instanceof Error ? cause.message : String(cause))
  }
  const { BrokenLock, read } = await import("../lock/lockFile.ts")
  try {
    const pages = read(text)
    const watched = [...pages].filter(([, { pins }]) => !pins.every(isApproved)).map(([server]) => server)
    if (watched.length > 0) return failed(`nobody has approved what was only observed of ${watched.join(", ")}`)
    const count = [...pages.values()].reduce((sum, { pins }) => sum + pins.length, 0)
    return done(`${file}: ${count} definitions of ${pages.size} servers, all as their hashes say\n`)
  } catch (cause) {
    if (cause instanceof BrokenLock) return failed(cause.message)
    throw cause
  }
}

export const lock = (asked: LockAsked, env: NodeJS.ProcessEnv): Promise<Printed> =>
  asking(async () => {
    if (asked.file !== undefined) return checkedFile(asked.file)
    const client = adminClient(asked.admin, env)
    switch (asked.action) {
      case "approve":
        return approved(client, asked)
      case "check": {
        // Other words for the same are told, and are nobody's problem.
        const findings = (await found(client, asked)).filter(({ grade }) => grade !== "cosmetic")
        return { out: listed(findings, asked, false), error: "", exitCode: findings.length === 0 ? 0 : 1 }
      }
      default:
        return done(listed(await found(client, asked), asked, asked.action === "diff"))
    }
  })
