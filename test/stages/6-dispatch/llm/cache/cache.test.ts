/** What answers are kept by, and how they are given again. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { decode, encode } from "../../../../../src/node/redisReplies.ts"
import type { Flow, Sink } from "../../../../../stages/Body.ts"
import { questionOf } from "../../../../../stages/6-dispatch/llm/cache/keyOf.ts"
import { ReplayFlow } from "../../../../../stages/6-dispatch/llm/cache/ReplayFlow.ts"
import { SharedFlow } from "../../../../../stages/6-dispatch/llm/cache/SharedFlow.ts"
import { normalized, Similar } from "../../../../../stages/6-dispatch/llm/cache/Similar.ts"
import { isWholeReply, isWholeStream } from "../../../../../stages/6-dispatch/llm/cache/whole.ts"
import { inMemory, type KeptReply } from "../../../../../stages/ports/Replies.ts"

const utf8 = new TextEncoder()
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const reply = (content: string, pieces: KeptReply["pieces"] = []): KeptReply => ({
  contentType: "text/event-stream",
  provider: "p",
  model: "m",
  responseModel: "r",
  storedMillis: 5,
  bytes: utf8.encode(content),
  pieces,
})

describe("replies in memory", () => {
  it("those asked for least recently go first, and all go in time", () => {
    let now = 0
    const replies = inMemory(3_000, () => now)
    const has = (key: string): boolean => Effect.runSync(replies.get(key)) !== undefined
    for (const key of ["a", "b", "c"]) replies.put(key, reply("x".repeat(400)), 100)
    expect(["a", "b", "c"].map(has)).toEqual([true, true, true])
    has("a")
    replies.put("d", reply("x".repeat(400)), 100)
    expect(["a", "b", "c", "d"].map(has)).toEqual([true, false, true, true])
    expect(replies.bytes).toBeLessThanOrEqual(3_000)
    replies.put("e", reply("x".repeat(4_000)), 100)
    expect(has("e")).toBe(false)
    now = 100
    expect(["a", "c", "d"].map(has)).toEqual([false, false, false])
    expect(replies.bytes).toBe(0)
  })
})

describe("replies in Redis", () => {
  it("come back as they were", () => {
    const kept = reply("one\ntwo\n", [
      [4, 0],
      [8, 30],
    ])
    const { bytes, ...about } = decode(encode(kept)) ?? reply("")
    expect(text(bytes)).toBe("one\ntwo\n")
    expect({ ...about, bytes: kept.bytes }).toEqual(kept)
  })
  it.each(["", "{}", "no", "{}\nx", '{"contentType":"a"}\nx', "[]\n", "null\n"])(
    "anything else is none: %j",
    (stored) => {
      expect(decode(Buffer.from(stored))).toBeUndefined()
    },
  )
})

/** A clock that only moves when it is told to. */
const clock = () => {
  let now = 0
  let timers: Array<{ readonly at: number; readonly callback: () => void }> = []
  return {
    nowMillis: () => now,
    wallMillis: () => now,
    random: () => 0,
    after: (millis: number, callback: () => void) => {
      const timer = { at: now + millis, callback }
      timers.push(timer)
      return () => void (timers = timers.filter((one) => one !== timer))
    },
    to: (millis: number): void => {
      now = millis
      const due = timers.filter(({ at }) => at <= now)
      timers = timers.filter(({ at }) => at > now)
      for (const { callback } of due) callback()
    },
    get waiting() {
      return timers.length
    },
  }
}

const recorder = () => {
  const heard: Array<string> = []
  let takes = true
  const sink: Sink = {
    write: (chunk) => {
      heard.push(text(chunk))
      return takes
    },
    end: () => void heard.push("end"),
    fail: () => void heard.push("failed"),
  }
  return { heard, sink, hold: (held: boolean) => void (takes = !held) }
}

describe("a stream that is given again", () => {
  const kept = reply("abcdef", [
    [2, 0],
    [4, 30],
    [6, 70],
  ])
  it("comes at the pace at which it came", () => {
    const time = clock()
    const { heard, sink } = recorder()
    new ReplayFlow(kept, time).open(sink)
    expect(heard).toEqual(["ab"])
    time.to(29)
    expect(heard).toEqual(["ab"])
    time.to(30)
    expect(heard).toEqual(["ab", "cd"])
    time.to(70)
    expect(heard).toEqual(["ab", "cd", "ef", "end"])
  })
  it("waits for whoever does not take it, and stops for whoever left", () => {
    const time = clock()
    const { heard, hold, sink } = recorder()
    hold(true)
    const source = new ReplayFlow(kept, time).open(sink)
    time.to(100)
    expect(heard).toEqual(["ab"])
    hold(false)
    source.resume()
    expect(heard).toEqual(["ab", "cd", "ef", "end"])
    const other = recorder()
    const left = new ReplayFlow(kept, time).open(other.sink)
    left.cancel()
    time.to(500)
    expect(other.heard).toEqual(["ab"])
    expect(time.waiting).toBe(0)
  })
})

describe("a stream that is remembered", () => {
  const flowOf = (chunks: ReadonlyArray<string>, end: "end" | "fail"): Flow => ({
    _tag: "Flow",
    length: undefined,
    open: (sink) => {
      for (const chunk of chunks) sink.write(utf8.encode(chunk))
      if (end === "end") sink.end(undefined)
      else sink.fail({ _tag: "FlowFailure", reason: "gone", message: "gone" })
      return { resume: () => {}, cancel: () => {} }
    },
  })
  const remembered = (chunks: ReadonlyArray<string>, end: "end" | "fail", bytesMax: number) => {
    let now = 0
    let told: { readonly text: string; readonly pieces: KeptReply["pieces"] } | undefined
    const { heard, sink } = recorder()
    const flow = new SharedFlow(
      flowOf(chunks, end),
      bytesMax,
      () => (now += 10),
      (whole) => (told = whole === undefined ? undefined : { text: text(whole.bytes), pieces: whole.pieces }),
    )
    flow.join()?.open(sink)
    return { told, heard }
  }
  it("is told of once it is whole, with its times", () => {
    const { heard, told } = remembered(["ab", "c"], "end", 100)
    expect(heard).toEqual(["ab", "c", "end"])
    expect(told).toEqual({
      text: "abc",
      pieces: [
        [2, 0],
        [3, 10],
      ],
    })
  })
  it("is not told of when it broke off or was too long", () => {
    expect(remembered(["ab", "c"], "fail", 100).told).toBeUndefined()
    const long = remembered(["ab", "c"], "end", 2)
    expect(long.told).toBeUndefined()
    expect(long.heard).toEqual(["ab", "c", "end"])
  })
})

describe("an answer is whole", () => {
  const events = (...data: ReadonlyArray<string>) => utf8.encode(data.map((one) => `data: ${one}\n\n`).join(""))
  const said = '{"model":"m","choices":[{"delta":{"content":"x"},"finish_reason":null}]}'
  const finished = '{"model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}'
  it.each([
    [true, events(said, finished, "[DONE]")],
    [false, events(said, finished)],
    [false, events(said, "[DONE]")],
    [false, events(said, '{"error":{"message":"no"}}', finished, "[DONE]")],
    [false, events()],
  ])("in OpenAI's format: %s", (is, bytes) => expect(isWholeStream("openaiChat", bytes)).toBe(is))
  it("in Google's, which has no last word", () => {
    const candidate = (more: object): string => JSON.stringify({ candidates: [{ content: {}, ...more }] })
    expect(isWholeStream("gemini", events(candidate({}), candidate({ finishReason: "STOP" })))).toBe(true)
    expect(isWholeStream("gemini", events(candidate({})))).toBe(false)
  })
  it.each([
    [true, '{"choices":[]}'],
    [false, '{"error":{"message":"no"}}'],
    [false, "[]"],
    [false, '{"choices":['],
  ])("in one piece: %s %s", (is, body) => expect(isWholeReply(utf8.encode(body))).toBe(is))
})

describe("questions by their meaning", () => {
  const unit = (...values: ReadonlyArray<number>): Float32Array => normalized(values) as Float32Array
  it("the nearest counts, where it is near enough and meant the same way", () => {
    const similar = new Similar(10)
    similar.put("x", "here", unit(1, 0), 100)
    similar.put("y", "here", unit(1, 1), 100)
    similar.put("z", "there", unit(0, 1), 100)
    expect(similar.nearest("here", unit(2, 0), 0.9, 0)).toBe("x")
    expect(similar.nearest("here", unit(2, 3), 0.9, 0)).toBe("y")
    expect(similar.nearest("here", unit(0, 1), 0.9, 0)).toBeUndefined()
    expect(similar.nearest("here", unit(1, 0, 0), 0, 0)).toBeUndefined()
    expect(similar.nearest("here", unit(1, 0), 0.9, 100)).toBeUndefined()
  })
  it("only so many are known", () => {
    const similar = new Similar(3)
    for (let i = 0; i < 10; i++) similar.put(String(i), "here", unit(1, i), 100)
    expect(similar.size).toBe(3)
    expect(similar.nearest("here", unit(1, 0), 0.999, 0)).toBeUndefined()
  })
  it.each([[[]], [[0, 0]], [[Number.NaN]], [["1"]], [[1e300, 1e300]]])(
    "what has no direction means nothing: %j",
    (values) => {
      expect(normalized(values)).toBeUndefined()
    },
  )
  it("only what a person asks in words", () => {
    const chat = (...messages: ReadonlyArray<unknown>) => questionOf("openaiChat", { model: "m", messages })
    expect(chat({ role: "system", content: "s" }, { role: "user", content: "q" })?.text).toBe("q")
    expect(chat({ role: "user", content: [{ type: "text", text: "q" }] })?.text).toBe("q")
    expect(chat({ role: "user", content: "q" }, { role: "assistant", content: "a" })).toBeUndefined()
    expect(chat({ role: "tool", content: "q" })).toBeUndefined()
    expect(chat({ role: "user", content: [{ type: "image_url", image_url: {} }] })).toBeUndefined()
    const a = chat({ role: "system", content: "s" }, { role: "user", content: "q" })
    const b = chat({ role: "system", content: "t" }, { role: "user", content: "q" })
    expect(a?.around).not.toBe(b?.around)
    expect(questionOf("gemini", { contents: [{ parts: [{ text: "q" }] }] })?.text).toBe("q")
    expect(questionOf("openaiResponses", { input: "q" })?.text).toBe("q")
    expect(questionOf("openaiEmbeddings", { input: "q" })).toBeUndefined()
  })
})
