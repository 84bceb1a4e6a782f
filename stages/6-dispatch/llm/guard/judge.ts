/** What all guards of one side make of a set of texts: they are asked one after the other, and the first refusal ends it. */
import * as Effect from "effect/Effect"
import type { Headers } from "../../../../protocols/http/headers.ts"
import { MaskedText, type Span } from "../../../../protocols/llm/guard/MaskedText.ts"
import type { Judgement, Message } from "../../../../protocols/llm/guard/remote.ts"
import type { Scope } from "../../../../protocols/llm/guard/spots.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { spanned } from "../../../spanned.ts"
import { Try } from "../../Target.ts"
import type { Checked, Guard, LocalGuard, RemoteGuard, Side } from "./Guard.ts"

/** A text under judgement. */
export interface Words {
  readonly masked: MaskedText
  readonly scope: Scope
  readonly role: string
  /** Texts of one message belong together. */
  readonly group: number
}

export interface Refused {
  readonly guard: Guard
  readonly judgement: Extract<Judgement, { readonly kind: "reject" | "unclear" }>
}

export interface Asked {
  readonly attempt: Try
  readonly side: Side
  readonly replyHeaders: Headers | undefined
  readonly tell: (checked: Checked) => void
  /** Absent: nobody wants to know how long it takes. */
  readonly clock?: Pick<Clock, "nowMillis">
}

/** What stands on both sides of a piece, so that nothing is cut through: no secret we know of is longer. */
const OVERLAP_CHARS = 512

const nothing: ReadonlyArray<Span> = []

/** Every span of a long text, looked at in pieces that the event loop can bear. */
const findSlowly = (guard: LocalGuard, text: string): Effect.Effect<ReadonlyArray<Span>> => {
  const step = Math.max(OVERLAP_CHARS * 2, guard.textLengthMax - OVERLAP_CHARS * 2)
  const look = (start: number, found: ReadonlyArray<Span>): Effect.Effect<ReadonlyArray<Span>> => {
    if (start >= text.length) return Effect.succeed(found)
    const from = Math.max(0, start - OVERLAP_CHARS)
    const piece = text.slice(from, start + step + OVERLAP_CHARS)
    const reached = found.at(-1)?.end ?? 0
    const more = guard
      .find(piece)
      .map((span) => ({ ...span, start: span.start + from, end: span.end + from }))
      .filter((span) => span.start >= start && span.start < start + step && span.start >= reached)
    return Effect.andThen(
      Effect.yieldNow,
      Effect.suspend(() => look(start + step, more.length === 0 ? found : [...found, ...more])),
    )
  }
  return look(0, nothing)
}

const find = (guard: LocalGuard, text: string): Effect.Effect<ReadonlyArray<Span>> =>
  text.length <= guard.textLengthMax ? Effect.sync(() => guard.find(text)) : findSlowly(guard, text)

const refusedBy = (guard: Guard, reason: string | undefined): Refused => ({
  guard,
  judgement: { kind: "reject", reason },
})

const askLocal = (
  guard: Guard,
  judge: LocalGuard,
  all: ReadonlyArray<Words>,
  { side, tell }: Asked,
): Effect.Effect<Refused | undefined> => {
  let isMasked = false
  const each = (i: number): Effect.Effect<Refused | undefined> => {
    const words = all[i]
    if (words === undefined) {
      tell({ phase: side, guard: guard.name, action: isMasked ? "mask" : "allow" })
      return Effect.succeed(undefined)
    }
    return Effect.flatMap(find(judge, words.masked.text), (spans) => {
      if (spans.length > 0 && judge.action === "reject") {
        tell({ phase: side, guard: guard.name, action: "reject" })
        return Effect.succeed(refusedBy(guard, undefined))
      }
      if (spans.length > 0) {
        isMasked = true
        words.masked.replace(spans)
      }
      return each(i + 1)
    })
  }
  return each(0)
}

/** Whatever can be said without waiting, for streams whose guards are all local; the same as `askLocal`. */
export const askNow = (
  guards: ReadonlyArray<Guard>,
  all: ReadonlyArray<Words>,
  tell: Asked["tell"],
  side: Side,
): Refused | undefined => {
  for (const guard of guards) {
    if (guard.judge._tag !== "Local") continue
    let isMasked = false
    for (const { masked } of all) {
      const spans = guard.judge.find(masked.text)
      if (spans.length === 0) continue
      if (guard.judge.action === "reject") {
        tell({ phase: side, guard: guard.name, action: "reject" })
        return refusedBy(guard, undefined)
      }
      isMasked = true
      masked.replace(spans)
    }
    tell({ phase: side, guard: guard.name, action: isMasked ? "mask" : "allow" })
  }
  return undefined
}

interface Put {
  readonly messages: ReadonlyArray<Message>
  /** Takes new texts, one for each message. */
  readonly take: (texts: ReadonlyArray<string>) => void
}

/** Every text by itself, or those of one message as one: what is told apart for a service is put together again. */
const puts = (wants: RemoteGuard["wants"], all: ReadonlyArray<Words>): Put => {
  if (wants === "texts")
    return {
      messages: all.map(({ masked, role }) => ({ role, content: masked.text })),
      take: (texts) => {
        for (const [i, { masked }] of all.entries()) masked.become(texts[i] ?? "")
      },
    }
  const groups: Array<Array<Words>> = []
  for (const words of all) {
    const last = groups.at(-1)
    if (last?.[0]?.group === words.group) last.push(words)
    else groups.push([words])
  }
  const contentOf = (group: ReadonlyArray<Words>): string => group.map(({ masked }) => masked.text).join("\n")
  return {
    messages: groups.map((group) => ({ role: group[0]?.role ?? "user", content: contentOf(group) })),
    take: (texts) => {
      for (const [i, group] of groups.entries()) {
        const text = texts[i] ?? ""
        if (text === contentOf(group)) continue
        const lines = text.split("\n")
        const counts = group.map(({ masked }) => masked.text.split("\n").length)
        const isSameShape = counts.reduce((sum, count) => sum + count, 0) === lines.length
        // The parts of a message keep their places where that can be told; else all is said in the first.
        for (const [j, { masked }] of group.entries()) {
          const before = counts.slice(0, j).reduce((sum, count) => sum + count, 0)
          masked.become(isSameShape ? lines.slice(before, before + (counts[j] ?? 0)).join("\n") : j === 0 ? text : "")
        }
      }
    },
  }
}

const askRemote = (
  guard: Guard,
  judge: RemoteGuard,
  all: ReadonlyArray<Words>,
  { attempt, replyHeaders, side, tell }: Asked,
): Effect.Effect<Refused | undefined> => {
  const told = (action: Checked["action"]): void => tell({ phase: side, guard: guard.name, action })
  const { messages, take } = puts(judge.wants, all)
  if (messages.length === 0) return Effect.succeed(undefined)
  return Effect.map(judge.ask(attempt, side, messages, replyHeaders), (judgement) => {
    switch (judgement.kind) {
      case "pass":
        told("allow")
        return undefined
      case "mask":
        take(judgement.texts)
        told("mask")
        return undefined
      case "reject":
        told("reject")
        return { guard, judgement }
      case "unclear":
        told(judge.failsOpen ? "failOpen" : "failClosed")
        return judge.failsOpen ? undefined : { guard, judgement }
    }
  })
}

/** A guard at work, as a span of the exchange's trace. */
const seen = (
  { name }: Guard,
  asked: Asked,
  judging: (asked: Asked) => Effect.Effect<Refused | undefined>,
): Effect.Effect<Refused | undefined> => {
  const { attempt, clock } = asked
  const { exchange } = attempt
  if (clock === undefined || exchange.trace === undefined) return judging(asked)
  let action: Checked["action"] | undefined
  return spanned(exchange, clock, {
    name: `guardrail ${name}`,
    kind: "internal",
    attributes: [
      ["agw.guardrail.name", name],
      ["agw.guardrail.phase", asked.side],
    ],
    run: (inside) =>
      judging({
        ...asked,
        attempt: new Try(inside, attempt.request),
        tell: (checked) => {
          action = checked.action
          asked.tell(checked)
        },
      }),
    ended: (span) => {
      if (action !== undefined) span.set("agw.guardrail.action", action)
      return undefined
    },
  })
}

export const ask = (
  guards: ReadonlyArray<Guard>,
  all: ReadonlyArray<Words>,
  asked: Asked,
): Effect.Effect<Refused | undefined> => {
  const next = (i: number): Effect.Effect<Refused | undefined> => {
    const guard = guards[i]
    if (guard === undefined) return Effect.succeed(undefined)
    const mine = asked.side === "request" ? all.filter(({ scope }) => guard.scope.has(scope)) : all
    const { judge } = guard
    const verdict = seen(guard, asked, (inside) =>
      judge._tag === "Local" ? askLocal(guard, judge, mine, inside) : askRemote(guard, judge, mine, inside),
    )
    return Effect.flatMap(verdict, (refused) => (refused === undefined ? next(i + 1) : Effect.succeed(refused)))
  }
  return next(0)
}
