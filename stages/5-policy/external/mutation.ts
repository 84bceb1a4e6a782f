/** What another service may change of a message: fields, the parts of a request line, and nothing that frames it. */
import type { Headers } from "../../../protocols/http/headers.ts"
import type { Reply, Request } from "../../Exchange.ts"
import { complaintAbout, isCarried, isName } from "../headerEdits.ts"
import { lineNames, setLine } from "../requestLine.ts"

export interface FieldChange {
  /** In lower case. */
  readonly name: string
  /** One character for each byte. */
  readonly value: string
  readonly action: "append" | "addIfAbsent" | "set" | "setIfPresent"
}

export interface Mutation {
  /** In lower case; taken away before anything is set. */
  readonly remove: ReadonlyArray<string>
  readonly set: ReadonlyArray<FieldChange>
}

/** Why such a change was never meant to be carried out; undefined: it can be. */
export const complaintOf = ({ remove, set }: Mutation): string | undefined => {
  for (const name of remove) if (!isName(name) && !name.startsWith(":")) return `it removes ${JSON.stringify(name)}`
  for (const { name, value } of set) {
    if (!isName(name) && !name.startsWith(":")) return `it sets ${JSON.stringify(name)}`
    if (!isCarried(value)) return `it sets ${name} to what no header can carry`
  }
  return undefined
}

/** Fields that belong to the connection are left alone, whoever asks. */
const isOurs = (name: string): boolean => name.startsWith(":") || complaintAbout(name) !== undefined

const changeField = (headers: Headers, { action, name, value }: FieldChange): void => {
  switch (action) {
    case "append":
      return headers.append(name, value)
    case "addIfAbsent":
      return headers.has(name) ? undefined : headers.append(name, value)
    case "set":
      return headers.set(name, value)
    case "setIfPresent":
      return headers.has(name) ? headers.set(name, value) : undefined
  }
}

/** Nothing in trailers belongs to the connection. */
export const changeTrailers = (trailers: Headers, { remove, set }: Mutation): void => {
  for (const name of remove) trailers.remove(name)
  for (const change of set) if (!change.name.startsWith(":")) changeField(trailers, change)
}

export const changeRequest = (request: Request, { remove, set }: Mutation): void => {
  for (const name of remove) if (name !== "host" && !isOurs(name)) request.headers.remove(name)
  for (const change of set) {
    if (lineNames.has(change.name)) {
      // Every part of the line is there, so what is only for an absent one is for none.
      if (change.action !== "addIfAbsent") setLine(request, change.name, change.value)
    } else if (!isOurs(change.name)) changeField(request.headers, change)
  }
}

const statusText = /^[2-5]\d\d$/

export const changeReply = (reply: Reply, { remove, set }: Mutation): void => {
  for (const name of remove) if (!isOurs(name)) reply.headers.remove(name)
  for (const change of set) {
    // Whoever was given the raw connection was told so by its status.
    if (change.name === ":status" && reply.tunnel === undefined && statusText.test(change.value)) {
      reply.status = Number(change.value)
    } else if (!isOurs(change.name)) changeField(reply.headers, change)
  }
}
