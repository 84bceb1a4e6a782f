/**
 * Things that should happen sometimes. A thousand runs in which no retry ever succeeded prove nothing about retries, so
 * a mark that never fires is a failure as much as a law that is broken.
 */
import type { Trace, RequestRecord } from "./Trace.ts"

export class Marks {
  private readonly counts = new Map<string, number>()

  /** Declares a mark, and fires it if it happened. */
  sometimes(name: string, happened: boolean): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + (happened ? 1 : 0))
  }

  /** What was declared and never happened. */
  get missing(): ReadonlyArray<string> {
    return [...this.counts].filter(([, count]) => count === 0).map(([name]) => name)
  }

  get fired(): ReadonlyMap<string, number> {
    return this.counts
  }
}

/** The marks that every traffic through a gateway should leave, given enough of it. */
export const observe = (marks: Marks, trace: Trace): void => {
  const { calls, journal, requests } = trace
  const some = (happened: (request: RequestRecord) => boolean) => requests.some(happened)
  const failed = (tag: string) => calls.some(({ end }) => end === `failed ${tag}`)
  const refused = (tag: string) => journal.some(({ exchange }) => exchange.trail.refusal?._tag === tag)
  const drainAt = trace.drainStarted

  marks.sometimes(
    "a reply arrived whole",
    some(({ end, receivedBytes }) => end === "complete" && receivedBytes > 0),
  )
  marks.sometimes(
    "an upload arrived whole",
    calls.some(({ receivedBytes, requestComplete }) => requestComplete && receivedBytes > 0),
  )
  marks.sometimes(
    "a client left before the reply",
    some(({ arrived, end, head }) => arrived !== undefined && end === "left" && head === undefined),
  )
  marks.sometimes(
    "a client left during the reply",
    some(({ end, head }) => end === "left" && head !== undefined),
  )
  marks.sometimes(
    "a client left during its upload",
    some(
      ({ arrived, end, uploadComplete, uploadedBytes }) =>
        arrived !== undefined && end === "left" && uploadedBytes > 0 && !uploadComplete,
    ),
  )
  marks.sometimes(
    "a client vanished with a request under way",
    some(({ arrived, end }) => arrived !== undefined && end === "vanished"),
  )
  marks.sometimes(
    "a reply broke off",
    some(({ end }) => end === "broken"),
  )
  marks.sometimes(
    "an exchange was interrupted",
    journal.some(({ ending }) => ending.outcome === "interrupted"),
  )
  marks.sometimes(
    "a client was gone when its reply came",
    journal.some(({ ending }) => ending.outcome === "clientGone"),
  )
  marks.sometimes("a name did not resolve", failed("ResolutionFailed"))
  marks.sometimes("a server refused a connection", failed("ConnectFailed"))
  marks.sometimes(
    "a connection was reset before a reply",
    calls.some(({ end, head }) => end === "failed Reset" && head === undefined),
  )
  marks.sometimes(
    "a connection was reset during a reply",
    calls.some(({ end, head }) => end === "failed Reset" && head !== undefined),
  )
  marks.sometimes("a request broke off on the client's side", failed("RequestAborted"))
  marks.sometimes("a server said something that is not HTTP", failed("MalformedReply"))
  marks.sometimes(
    "a call was aborted",
    calls.some(({ end }) => end === "aborted"),
  )
  marks.sometimes("no route matched", refused("RouteNotFound"))
  marks.sometimes(
    "exchanges overlapped a drain",
    drainAt !== undefined && journal.some(({ step }) => step > drainAt.step),
  )
}
