/**
 * A lock as a file that people read, compare and commit. What it says is checked against its own hashes whenever it is
 * read, and what a person has written around it stays when it is changed.
 */
import { Document, isMap, parseDocument, YAMLMap } from "yaml"
import { isObject, type JsonObject } from "../../protocols/json/object.ts"
import { canonical } from "../../protocols/lock/canonical.ts"
import { type Kind, kinds, rootOf } from "../../protocols/lock/hash.ts"
import { itemOf } from "../../protocols/lock/Item.ts"
import type { Page, Pin } from "../../stages/ports/Locks.ts"
import { sha256 } from "./storedLocks.ts"

export type Pages = ReadonlyMap<string, Pick<Page, "pins" | "met">>

/** What is wrong with a file, so that nothing in it can be relied upon. */
export class BrokenLock extends Error {}

const version = 1

const head = ` What the servers behind the gateway were approved to say of themselves. The gateway writes it, and never trusts it
 further than its hashes go: approve a change through the admin API, and read what you commit.`

/** How each kind is called in the file. */
const sections: Readonly<Record<Kind, string>> = {
  instructions: "instructions",
  tool: "tools",
  prompt: "prompts",
  template: "templates",
  card: "card",
  skill: "skills",
}

/** A server has one of these. */
const isSingle = (kind: Kind): boolean => kind === "instructions" || kind === "card"

const pinIn = (server: string, kind: Kind, name: string, value: unknown): Pin => {
  const what = `${server}: ${kind}${name === "" ? "" : ` ${name}`}`
  if (!isObject(value)) throw new BrokenLock(`${what} is not written as the gateway writes it`)
  const { approved, by, definition, hash, json } = value
  if (typeof hash !== "string" || typeof approved !== "string" || typeof by !== "string") {
    throw new BrokenLock(`${what} lacks one of \`hash\`, \`approved\`, \`by\``)
  }
  const text = typeof json === "string" ? json : JSON.stringify(definition)
  const item = text === undefined ? undefined : itemOf(kind, text, sha256)
  if (item === undefined || item.name !== name || item.hash !== hash) {
    throw new BrokenLock(`${what} is not what its hash says: somebody has changed one of the two`)
  }
  return { kind, name, hash, text: item.canonicalText, by, at: approved }
}

const kindsIn = (server: string, met: unknown): ReadonlyArray<Kind> => {
  if (!Array.isArray(met)) throw new BrokenLock(`${server}: \`met\` is not a list`)
  return met.map((one) => {
    const kind = kinds.find((each) => each === one)
    if (kind === undefined) throw new BrokenLock(`${server}: ${JSON.stringify(one)} is no kind of definition`)
    return kind
  })
}

const pageIn = (server: string, value: unknown): Pick<Page, "pins" | "met"> => {
  if (!isObject(value)) throw new BrokenLock(`${server} is not written as the gateway writes it`)
  const pins: Array<Pin> = []
  for (const kind of kinds) {
    const section = value[sections[kind]]
    if (section === undefined) continue
    if (isSingle(kind)) pins.push(pinIn(server, kind, "", section))
    else if (isObject(section)) {
      for (const [name, one] of Object.entries(section)) pins.push(pinIn(server, kind, name, one))
    } else throw new BrokenLock(`${server}: \`${sections[kind]}\` is not written as the gateway writes it`)
  }
  if (value["root"] !== rootOf(pins, sha256)) {
    throw new BrokenLock(`${server} is not what its root says: something was added, taken away or changed by hand`)
  }
  return { pins, met: kindsIn(server, value["met"]) }
}

/** Throws where any of it cannot be relied upon. */
const parsed = (text: string): Document => {
  const document = parseDocument(text, { strict: true, uniqueKeys: true })
  const [error] = document.errors
  if (error !== undefined) throw new BrokenLock(`it is no YAML: ${error.message.split("\n")[0]}`)
  return document as unknown as Document
}

export const read = (text: string): Pages => {
  const value: unknown = parsed(text).toJS({ maxAliasCount: 0 })
  if (value === null || value === undefined) return new Map()
  if (!isObject(value) || value["version"] !== version) {
    throw new BrokenLock(`it is not a lock of version ${version}`)
  }
  const servers = value["servers"] ?? {}
  if (!isObject(servers)) throw new BrokenLock("`servers` is not a map")
  return new Map(Object.entries(servers).map(([name, one]) => [name, pageIn(name, one)]))
}

const written = ({ at, by, hash, text }: Pin): JsonObject => {
  const definition: unknown = JSON.parse(text)
  // A number that YAML would write otherwise keeps its digits in a text.
  const isFaithful = canonical(JSON.stringify(definition)).text === text
  return { hash, approved: at, by, ...(isFaithful ? { definition } : { json: text }) }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Puts a value into a map of the document, and leaves it alone where it says the same already: comments live there. */
const put = (document: Document, map: YAMLMap, key: string, value: unknown): void => {
  const before = map.get(key, true)
  if (before !== undefined && JSON.stringify(document.createNode(before).toJSON()) === JSON.stringify(value)) return
  map.set(key, document.createNode(value))
}

const mapAt = (map: YAMLMap, key: string): YAMLMap => {
  const found = map.get(key, true)
  if (isMap(found)) return found
  const made = new YAMLMap()
  map.set(key, made)
  return made
}

/** The file with what one server was approved to say. */
export const change = (text: string | undefined, server: string, { met, pins }: Pick<Page, "pins" | "met">): string => {
  const document = text === undefined || text.trim() === "" ? new Document({}) : parsed(text)
  if (!isMap(document.contents)) document.contents = document.createNode({}) as unknown as YAMLMap
  const top = document.contents as YAMLMap
  if (text === undefined || text.trim() === "") document.commentBefore = head
  put(document, top, "version", version)
  const at = mapAt(mapAt(top, "servers"), server)
  put(document, at, "root", rootOf(pins, sha256))
  put(
    document,
    at,
    "met",
    kinds.filter((kind) => met.includes(kind)),
  )
  for (const kind of kinds) {
    const own = pins.filter((one) => one.kind === kind).toSorted((a, b) => byText(a.name, b.name))
    const section = sections[kind]
    const [only] = own
    if (only === undefined) {
      at.delete(section)
      continue
    }
    if (isSingle(kind)) {
      put(document, at, section, written(only))
      continue
    }
    const map = mapAt(at, section)
    const names = new Set(own.map(({ name }) => name))
    for (const pair of map.items.slice()) {
      const name = String((pair.key as { readonly value?: unknown }).value ?? pair.key)
      if (!names.has(name)) map.delete(name)
    }
    for (const pin of own) put(document, map, pin.name, written(pin))
  }
  return document.toString({ lineWidth: 120, minContentWidth: 0 })
}
