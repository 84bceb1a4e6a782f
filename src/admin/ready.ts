/** Readiness: whether traffic should be sent here. Liveness: whether the process still answers at all. */
import { type Answering, isRead, methodNotAllowed, notFound, text } from "./serve.ts"

export interface ReadyOptions {
  /** What is still missing; empty when traffic is welcome. */
  readonly pending: () => ReadonlyArray<string>
  /** Told of every refusal, with how many there were in a row. */
  readonly onRefused: (count: number, pending: string) => void
}

export const ready = ({ onRefused, pending }: ReadyOptions): Answering => {
  let refusals = 0
  return ({ method, path }) => {
    if (path !== "/healthz/ready" && path !== "/healthz/live") return notFound
    if (!isRead(method)) return methodNotAllowed("GET, HEAD")
    if (path === "/healthz/live") return text(200, "live\n")
    const missing = pending().join(", ")
    if (missing === "") {
      refusals = 0
      return text(200, "ready\n")
    }
    onRefused(++refusals, missing)
    return text(500, `not ready, pending: ${missing}\n`)
  }
}
