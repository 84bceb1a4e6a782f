/** The metrics, in the text format of Prometheus. */
import { contentType, type Exported, expose, merge } from "../telemetry/Registry.ts"
import { type Answering, isRead, methodNotAllowed, notFound } from "./serve.ts"

/** `collect` answers with what each thread has counted. */
export const stats =
  (collect: () => Promise<ReadonlyArray<Exported>>): Answering =>
  async ({ method, path }) => {
    if (path !== "/metrics" && path !== "/stats/prometheus") return notFound
    if (!isRead(method)) return methodNotAllowed("GET, HEAD")
    return { status: 200, headers: { "content-type": contentType }, body: expose(merge(await collect())) }
  }
