/** A client that follows its script: it sends, reads, waits, leaves or vanishes, and writes down what it saw. */
import { clientHello } from "./clientHello.ts"
import { Link } from "./Link.ts"
import type { SimulatedNetwork } from "./network.ts"
import { payload, Verifier } from "./payload.ts"
import type { Recorder } from "./Recorder.ts"
import type { Scheduler } from "./Scheduler.ts"
import type { Peer, ServerSocket } from "./ServerSocket.ts"
import type { RequestEnd, RequestRecord } from "./Trace.ts"
import type { Client, Request } from "./World.ts"

/** How often a client tries to get a connection before it gives up what it still wanted to send. */
const connectionsFailedMax = 3
const reconnectMillis = 20

const encoder = new TextEncoder()
const opening = { "1.1": encoder.encode("GET / HTTP/1.1\r\n"), "2": encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }

/** A request under way. */
interface Ongoing {
  readonly number: number
  readonly request: Request
  readonly record: RequestRecord
  verifier: Verifier | undefined
  /** Bytes of the upload that the gateway has not taken. */
  outstandingBytes: number
  chunksSent: number
  waiting: boolean
  /** The end of the reply is here, though perhaps not read. */
  isWhole: boolean
  /** When the client will have read what it has. */
  readUntilMillis: number
  readonly cancels: Array<() => void>
}

export class SimulatedClient {
  private readonly number: number
  private readonly script: Client
  private readonly scheduler: Scheduler
  private readonly recorder: Recorder
  private readonly network: SimulatedNetwork
  private readonly onDone: () => void
  private readonly records: ReadonlyArray<RequestRecord>
  private readonly ongoing = new Map<number, Ongoing>()
  private next = 0
  private socket: ServerSocket | undefined
  private up: Link | undefined
  private ready = false
  private goingAway = false
  private connecting = false
  private connections = 0
  private connectionsFailed = 0
  private vanished = false
  private done = false

  constructor(
    number: number,
    script: Client,
    scheduler: Scheduler,
    recorder: Recorder,
    network: SimulatedNetwork,
    onDone: () => void,
  ) {
    this.number = number
    this.script = script
    this.scheduler = scheduler
    this.recorder = recorder
    this.network = network
    this.onDone = onDone
    this.records = script.requests.map((request, index) => {
      const record: RequestRecord = {
        id: `${number}.${index}`,
        client: number,
        method: request.method,
        authority: request.authority,
        path: request.path,
        sent: undefined,
        arrived: undefined,
        uploadedBytes: 0,
        uploadComplete: false,
        bodyOpened: 0,
        responded: [],
        brokenOff: false,
        head: undefined,
        status: undefined,
        receivedBytes: 0,
        intact: true,
        informs: 0,
        end: undefined,
        ended: undefined,
        lost: undefined,
      }
      recorder.requests.push(record)
      return record
    })
  }

  start(): void {
    this.scheduler.after(this.script.startMillis, () => this.connect())
    const { vanishesAtMillis } = this.script
    if (vanishesAtMillis !== undefined) this.scheduler.after(vanishesAtMillis, () => this.vanish())
  }

  /** Closes what it still holds open. */
  stop(): void {
    if (this.vanished) return
    const { socket } = this
    this.socket = undefined
    if (socket !== undefined) this.up?.send(() => socket.hangUp())
  }

  // — the connection —

  private connect(): void {
    if (this.vanished || this.done || this.connecting) return
    if (this.connections++ > this.records.length + connectionsFailedMax) return this.giveUp()
    this.connecting = true
    const { latencyMillis, port, serverName, version, windowBytes } = this.script
    const up = new Link(this.scheduler, latencyMillis)
    const down = new Link(this.scheduler, latencyMillis)
    this.up = up
    this.ready = false
    this.goingAway = false
    let socket: ServerSocket | undefined
    up.send(() => {
      socket = this.network.accept(port, {
        scheduler: this.scheduler,
        recorder: this.recorder,
        down,
        client: this.peer(() => this.socket === socket && !this.vanished),
        peer: { host: `192.0.2.${(this.number % 250) + 1}`, port: 40_000 + this.next },
        local: { host: "198.51.100.1", port },
        latencyMillis,
        windowBytes,
        version,
        serverName,
      })
      if (socket === undefined) return down.send(() => this.refusedConnection())
      const accepted = socket
      down.send(() => {
        if (this.vanished) return
        this.connecting = false
        this.socket = accepted
        this.greet(accepted)
      })
    })
  }

  private refusedConnection(): void {
    this.connecting = false
    this.connectionsFailed++
    if (this.connectionsFailed >= connectionsFailedMax) return this.giveUp()
    this.scheduler.after(reconnectMillis, () => this.connect())
  }

  private giveUp(): void {
    for (; this.next < this.records.length; this.next++) this.finish(this.records[this.next], "notSent")
    this.checkDone()
  }

  private greet(socket: ServerSocket): void {
    if (this.script.requests.length === 0) return this.checkDone()
    const { serverName, version } = this.script
    if (serverName === undefined) {
      this.say(socket, opening[version])
      this.begin()
    } else this.say(socket, clientHello(serverName, version === "2" ? ["h2"] : ["http/1.1"]))
  }

  /** First bytes come in two pieces, so that whoever reads them has to wait for the rest. */
  private say(socket: ServerSocket, bytes: Uint8Array): void {
    const middle = bytes.byteLength >> 1
    this.up?.send(() => socket.bytes(bytes.subarray(0, middle)))
    this.up?.send(() => socket.bytes(bytes.subarray(middle)))
  }

  private begin(): void {
    this.ready = true
    this.sendNext()
  }

  private peer(isCurrent: () => boolean): Peer {
    const when = (hear: () => void) => () => {
      if (isCurrent()) hear()
    }
    return {
      secured: when(() => {
        if (this.socket !== undefined) this.begin()
      }),
      head: (id, status, call) => {
        if (isCurrent()) this.head(id, status, call)
      },
      chunk: (id, bytes) => {
        if (isCurrent()) this.chunk(id, bytes)
      },
      end: (id) => {
        if (isCurrent()) this.end(id)
      },
      aborted: (id) => {
        if (isCurrent()) this.lostReply(id)
      },
      inform: (id) => {
        const one = this.ongoing.get(id)
        if (isCurrent() && one !== undefined) one.record.informs++
      },
      credit: (id, bytes) => {
        if (isCurrent()) this.credit(id, bytes)
      },
      goaway: when(() => {
        this.goingAway = true
      }),
      refused: (id) => {
        if (isCurrent()) this.lostReply(id)
      },
      closed: when(() => this.closed()),
    }
  }

  private closed(): void {
    this.socket = undefined
    this.ready = false
    const ids = [...this.ongoing.keys()]
    for (const id of ids) this.lostReply(id)
    if (this.next < this.records.length) {
      this.scheduler.after(reconnectMillis, () => this.sendNext())
    }
    this.checkDone()
  }

  private vanish(): void {
    if (this.done && this.socket === undefined) return
    this.vanished = true
    this.up?.sever()
    const all = [...this.ongoing.values()]
    for (const one of all) {
      this.close(one, "vanished")
    }
    for (; this.next < this.records.length; this.next++) this.finish(this.records[this.next], "notSent")
    this.checkDone()
  }

  // — requests —

  private sendNext(): void {
    if (this.vanished || this.next >= this.records.length) return
    if (this.connecting) return
    if (this.socket === undefined || this.goingAway) return this.leaveConnection()
    if (!this.ready) return
    if (this.script.version === "1.1" && this.ongoing.size > 0) return
    const number = this.next++
    const request = this.script.requests[number] as Request
    const record = this.records[number] as RequestRecord
    const one: Ongoing = {
      number,
      request,
      record,
      verifier: undefined,
      outstandingBytes: 0,
      chunksSent: 0,
      waiting: false,
      isWhole: false,
      readUntilMillis: 0,
      cancels: [],
    }
    this.ongoing.set(number, one)
    record.sent = this.recorder.now()
    const { socket } = this
    this.up?.send(() => socket.request(number, request, record))
    one.cancels.push(this.scheduler.after(this.script.patienceMillis, () => this.leave(one)))
    if (request.leaves?._tag === "AfterMillis") {
      one.cancels.push(this.scheduler.after(request.leaves.millis, () => this.leave(one)))
    }
    this.upload(one)
    if (this.script.version === "2" && this.next < this.records.length) {
      this.scheduler.after(this.script.thinkMillis, () => this.sendNext())
    }
  }

  /** A connection that takes no more requests is left, and another one opened; what it still carries is given up. */
  private leaveConnection(): void {
    if (this.ongoing.size > 0) {
      this.scheduler.after(reconnectMillis, () => this.sendNext())
      return
    }
    this.stop()
    this.connect()
  }

  private upload(one: Ongoing): void {
    const { socket } = this
    const { upload } = one.request
    if (upload === undefined || socket === undefined || !this.ongoing.has(one.number)) return
    const bytes = upload.chunks[one.chunksSent]
    if (bytes === undefined) {
      one.record.uploadComplete = true
      this.up?.send(() => socket.uploadEnd(one.number))
      return
    }
    if (one.outstandingBytes > 0 && one.outstandingBytes + bytes > this.script.windowBytes) {
      one.waiting = true
      return
    }
    one.chunksSent++
    one.outstandingBytes += bytes
    const chunk = payload(one.record.id, one.record.uploadedBytes, bytes)
    one.record.uploadedBytes += bytes
    this.up?.send(() => socket.uploadChunk(one.number, chunk))
    if (one.request.leaves?._tag === "AfterUpload" && one.chunksSent >= one.request.leaves.chunks) {
      return this.leave(one)
    }
    one.cancels.push(this.scheduler.after(upload.gapMillis, () => this.upload(one)))
  }

  private credit(id: number, bytes: number): void {
    const one = this.ongoing.get(id)
    if (one === undefined) return
    one.outstandingBytes -= bytes
    if (!one.waiting) return
    one.waiting = false
    this.upload(one)
  }

  private head(id: number, status: number, call: string | undefined): void {
    const one = this.ongoing.get(id)
    if (one === undefined) return
    if (one.record.head !== undefined) this.recorder.breach(`the client got two replies to request ${one.record.id}`)
    one.record.head = this.recorder.now()
    one.record.status = status
    if (call !== undefined) one.verifier = new Verifier(call)
    this.leaveIfRead(one)
  }

  private chunk(id: number, bytes: Uint8Array): void {
    const { socket } = this
    const one = this.ongoing.get(id)
    if (one === undefined || socket === undefined) return
    const { record, verifier } = one
    record.receivedBytes += bytes.byteLength
    if (verifier !== undefined) {
      verifier.take(bytes)
      record.intact = verifier.intact
    }
    one.readUntilMillis = Math.max(one.readUntilMillis, this.scheduler.nowMillis) + this.script.readMillis
    const acknowledge = () => {
      if (!this.vanished) this.up?.send(() => socket.ack(id, bytes.byteLength))
    }
    if (this.script.readMillis === 0) acknowledge()
    else this.scheduler.after(one.readUntilMillis - this.scheduler.nowMillis, acknowledge)
    this.leaveIfRead(one)
  }

  private leaveIfRead(one: Ongoing): void {
    const { leaves } = one.request
    if (leaves?._tag === "AfterReply" && one.record.receivedBytes >= leaves.bytes) this.leave(one)
  }

  /** A reply is complete for a client when it has read it. */
  private end(id: number): void {
    const one = this.ongoing.get(id)
    if (one === undefined) return
    one.isWhole = true
    const unreadMillis = one.readUntilMillis - this.scheduler.nowMillis
    if (unreadMillis > 0) {
      one.cancels.push(this.scheduler.after(unreadMillis, () => this.end(id)))
      return
    }
    this.close(one, "complete")
    this.afterOne()
  }

  private lostReply(id: number): void {
    const one = this.ongoing.get(id)
    if (one === undefined) return
    this.close(one, one.isWhole ? "complete" : one.record.head === undefined ? "unanswered" : "broken")
    this.afterOne()
  }

  private leave(one: Ongoing): void {
    if (!this.ongoing.has(one.number) || this.vanished) return
    const { socket } = this
    this.close(one, "left")
    if (socket !== undefined) {
      if (this.script.version === "2") this.up?.send(() => socket.reset(one.number))
      else this.stop()
    }
    this.afterOne()
  }

  private afterOne(): void {
    if (this.script.version === "1.1" && this.next < this.records.length) {
      this.scheduler.after(this.script.thinkMillis, () => this.sendNext())
    }
    this.checkDone()
  }

  private close(one: Ongoing, end: RequestEnd): void {
    this.ongoing.delete(one.number)
    for (const cancel of one.cancels) cancel()
    this.finish(one.record, end)
  }

  private finish(record: RequestRecord | undefined, end: RequestEnd): void {
    if (record === undefined || record.end !== undefined) return
    record.end = end
    record.ended = this.recorder.now()
  }

  private checkDone(): void {
    if (this.done || this.ongoing.size > 0 || this.next < this.records.length) return
    this.done = true
    this.onDone()
  }
}
