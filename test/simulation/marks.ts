/** What should happen sometimes when the generated configurations meet the generated worlds. */
import type { Marks } from "../../src/sim/marks.ts"
import type { Trace } from "../../src/sim/Trace.ts"

export const observeSetups = (
  marks: Marks,
  { calls, drainEnded, drainMaxMillis, drainStarted, journal, offers, rejections, requests }: Trace,
): void => {
  const refused = (tag: string) => journal.some(({ exchange }) => exchange.trail.refusal?._tag === tag)
  const retried = journal.filter(({ exchange }) => exchange.trail.attempts > 1)
  marks.sometimes(
    "a retry succeeded",
    retried.some(
      ({ ending, exchange }) =>
        ending.outcome === "answered" && exchange.trail.refusal === undefined && (ending.reply?.status ?? 500) < 500,
    ),
  )
  marks.sometimes(
    "retries ran out",
    retried.some(({ exchange }) => exchange.trail.attempts === 4),
  )
  marks.sometimes(
    "a client left between two attempts",
    retried.some(({ ending }) => ending.outcome === "interrupted"),
  )
  marks.sometimes(
    "a request with a body was retried",
    retried.some(({ request }) => requests.some(({ id, uploadedBytes }) => id === request && uploadedBytes > 0)),
  )
  marks.sometimes("the time of a request was up", refused("RequestTimeout"))
  marks.sometimes("an attempt took too long", refused("UpstreamTimeout"))
  marks.sometimes(
    "a reply that had begun paused for too long",
    journal.some(({ ending }) => ending.delivered?.failure?.message.startsWith("the upstream sent nothing") === true),
  )
  marks.sometimes(
    "a reply that could not begin for its pause was refused as late",
    journal.some(
      ({ exchange, request }) =>
        exchange.trail.refusal?._tag === "UpstreamTimeout" &&
        calls.some((call) => call.request === request && call.end === "aborted" && call.quietSince !== undefined),
    ),
  )
  marks.sometimes(
    "a request that its server did not read was given up",
    calls.some(({ end }) => end === "failed RequestUnread"),
  )
  marks.sometimes("a request body did not fit its buffer", refused("RequestBodyTooLarge"))
  marks.sometimes("a reply body did not fit its buffer", refused("ReplyBodyTooLarge"))
  marks.sometimes(
    "a request was copied to a mirror",
    journal.some(({ exchange }) => exchange.trail.mirrors > 0),
  )
  marks.sometimes(
    "the gateway answered by itself",
    journal.some(({ ending }) => ending.reply?.status === 202),
  )
  marks.sometimes(
    "a configuration was refused",
    offers.some(({ problems }) => problems !== undefined),
  )
  marks.sometimes(
    "a port was opened by a reload",
    offers.some(
      ({ listeningAfter, listeningBefore }) =>
        listeningBefore.length > 0 && listeningAfter.length > listeningBefore.length,
    ),
  )
  marks.sometimes(
    "a port was closed by a reload",
    offers.some(({ listeningAfter, listeningBefore }) => listeningAfter.length < listeningBefore.length),
  )
  marks.sometimes(
    "a reload came in the middle of an exchange",
    offers
      .slice(1)
      .some(
        ({ problems, step }) =>
          problems === undefined &&
          requests.some(
            ({ arrived, id }) =>
              arrived !== undefined &&
              arrived.step < step &&
              journal.some((line) => line.request === id && line.step > step),
          ),
      ),
  )
  marks.sometimes(
    "a call was under way when the configuration changed",
    offers
      .slice(1)
      .some(({ step }) =>
        calls.some(({ ended, started }) => started.step < step && ended !== undefined && ended.step > step),
      ),
  )
  marks.sometimes("a connection never became HTTP", rejections.length > 0)
  marks.sometimes(
    "a drain came to the end of its time",
    drainStarted !== undefined &&
      drainEnded !== undefined &&
      drainEnded.atMillis - drainStarted.atMillis >= drainMaxMillis,
  )
  marks.sometimes(
    "a drain ended early",
    drainStarted !== undefined && drainEnded !== undefined && drainEnded.atMillis - drainStarted.atMillis < 100,
  )
  marks.sometimes(
    "an interim answer came ahead of the reply",
    requests.some(({ informs }) => informs > 0),
  )
  marks.sometimes(
    "a request came over TLS",
    journal.some(({ exchange }) => exchange.request.scheme === "https"),
  )
  marks.sometimes(
    "a call went to an endpoint of a service",
    journal.some(({ exchange }) => exchange.trail.backend === "n/many.internal:80"),
  )
  marks.sometimes(
    "an attempt went to another endpoint than the one before",
    retried.some(
      ({ request }) => new Set(calls.filter((call) => call.request === request).map(({ server }) => server)).size > 1,
    ),
  )
}
