import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { StdioProcess } from "../../../../../ir/backend/Mcp.ts"
import type { Receiver } from "../../../../../stages/6-dispatch/mcp/target/Channel.ts"
import { stdioChannels } from "../../../../../stages/6-dispatch/mcp/target/stdioChannel.ts"
import { FakeClock } from "../../../exchange.ts"
import { callerOf } from "./calling.ts"
import { type Script, ScriptedProcesses } from "./scripted.ts"

const spec: StdioProcess = {
  command: "server",
  args: [],
  env: {},
  inherit: "basics",
  shared: false,
  processesMax: 2,
  idleMillis: 60_000,
}

const { exchange } = callerOf()

const make = (script: () => Script) => {
  const clock = new FakeClock()
  const processes = new ScriptedProcesses(script)
  const complaints: Array<string> = []
  const channels = stdioChannels(spec, {
    clock,
    processes,
    complain: (how, complaint) => complaints.push(`${how}: ${complaint}`),
  })
  const receiver = () => {
    const seen = { messages: [] as Array<string>, closed: [] as Array<string> }
    const one: Receiver = {
      message: (text) => void seen.messages.push(text),
      closed: (why) => void seen.closed.push(why),
    }
    return { ...seen, one }
  }
  const open = async () => {
    const { closed, messages, one } = receiver()
    const channel = await Effect.runPromise(channels.open(one, exchange))
    return { channel, closed, messages, send: (text: string) => Effect.runPromise(channel.send(text, exchange)) }
  }
  const refused = () => Effect.runPromise(Effect.flip(channels.open(receiver().one, exchange)))
  return { clock, processes, channels, complaints, open, refused }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0))

const echo: Script = { line: (text, actor) => actor.say(text) }

describe("pipes to a process", () => {
  it("carry messages both ways, and nothing after they are closed", async () => {
    const { open, processes } = make(() => echo)
    const one = await open()
    await one.send('{"id":1}')
    await settled()
    expect(one.messages).toEqual(['{"id":1}'])
    one.channel.close()
    one.channel.close()
    expect(one.closed).toEqual(["closed by the gateway"])
    await settled()
    expect(processes.running).toBe(0)
    await expect(one.send("{}")).rejects.toBeDefined()
    expect(one.closed).toHaveLength(1)
  })

  it("leave out lines that are no messages", async () => {
    const { open } = make(() => ({
      begin: ({ say }) => ["{}", "starting…", "[1]", "{broken", '{"id":2}'].forEach(say),
    }))
    const one = await open()
    await settled()
    expect(one.messages).toEqual(["{}", '{"id":2}'])
    expect(one.closed).toEqual([])
  })

  it("are given up when a process says nothing but nonsense from the start", async () => {
    const { open, processes } = make(() => ({ begin: ({ say }) => ["a", "b", "c"].forEach(say) }))
    const one = await open()
    await settled()
    expect(one.closed).toEqual(["the process writes something else than messages"])
    expect(processes.running).toBe(0)
  })

  it("tell how a process ended, and what it complained of", async () => {
    const { complaints, open } = make(() => ({
      begin: ({ complain, end }) => {
        complain("no configuration\n")
        end("the process ended with status 1")
      },
    }))
    const one = await open()
    await settled()
    expect(one.closed).toEqual(["the process ended with status 1"])
    expect(complaints).toEqual(["the process ended with status 1: no configuration\n"])
  })
})

describe("processes of a target", () => {
  it("that end at once are given more and more time, and are forgiven when one stays", async () => {
    let lives = false
    const { clock, open, processes, refused } = make(() => (lives ? echo : { begin: ({ end }) => end("gone") }))
    await open()
    await settled()
    expect(await refused()).toMatchObject({ status: 503, sent: false, retryAfterMillis: 375 })
    expect(processes.started).toBe(1)
    clock.advance(400)
    await open()
    await settled()
    expect(await refused()).toMatchObject({ retryAfterMillis: 750 })
    lives = true
    clock.advance(800)
    const one = await open()
    clock.advance(60_000)
    await one.send("{}")
    lives = false
    one.channel.close()
    await open()
    await settled()
    expect(await refused()).toMatchObject({ retryAfterMillis: 375 })
  })

  it("that cannot be started are not tried without pause", async () => {
    const { channels, clock, processes, refused } = make(() => echo)
    processes.refusal = "the command does not exist"
    expect(await refused()).toMatchObject({ message: "the command does not exist", sent: false })
    expect(channels.failedToStart()).toBe(true)
    expect(await refused()).toMatchObject({ status: 503 })
    processes.refusal = undefined
    clock.advance(1000)
    await Effect.runPromise(channels.open({ message: () => {}, closed: () => {} }, exchange))
    expect(channels.failedToStart()).toBe(false)
  })

  it("are never more than may be, and the one silent for longest makes room", async () => {
    const { clock, open, processes, refused } = make(() => echo)
    const first = await open()
    const second = await open()
    expect(await refused()).toMatchObject({ message: "all 2 processes are in use", status: 503 })
    clock.advance(20_000)
    await first.send("{}")
    clock.advance(20_000)
    await open()
    expect(second.closed).toEqual(["the process made room for another caller's"])
    expect(first.closed).toEqual([])
    await settled()
    expect(processes.running).toBe(2)
  })

  it("all end when the target does, and no more begin", async () => {
    const { channels, open, processes, refused } = make(() => echo)
    const one = await open()
    channels.close()
    await settled()
    expect(one.closed).toEqual(["closed by the gateway"])
    expect(processes.running).toBe(0)
    expect(await refused()).toMatchObject({ message: "closed by the gateway" })
  })
})
