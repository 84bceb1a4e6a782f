/** What must be true when a fault is over: nothing is left of it but one line in the journal for each exchange. */
import * as fs from "node:fs"
import { expect } from "vitest"
import { type Started, until } from "../harness.ts"

const isSocket = (fd: string): boolean => {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:")
  } catch {
    return false
  }
}

/** Open sockets of this process: every client, gateway and upstream server of a test lives in it. */
export const sockets = (): number => fs.readdirSync("/proc/self/fd").filter(isSocket).length

/** The outcomes that were journalled, once everything has ended; there must be one for each exchange. */
export const outcomes = async ({ gateway, told }: Started, exchanges: number): Promise<ReadonlyArray<string>> => {
  await until("every exchange is in the journal", () => told.exchanges.length >= exchanges)
  await until(
    "no connection and no exchange is left",
    () => gateway.open().connections === 0 && gateway.open().exchanges === 0,
  )
  expect(told.exchanges).toHaveLength(exchanges)
  expect(new Set(told.exchanges.map(({ exchange }) => exchange)).size).toBe(exchanges)
  return told.exchanges.map(({ ending }) => ending.outcome)
}
