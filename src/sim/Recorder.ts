/** Keeps the records of a simulation while it runs. */
import type { Scheduler } from "./Scheduler.ts"
import type { CallRecord, Line, LogLine, Offer, Rejection, RequestRecord, When } from "./Trace.ts"

export class Recorder {
  readonly requests: Array<RequestRecord> = []
  readonly calls: Array<CallRecord> = []
  readonly journal: Array<Line> = []
  readonly offers: Array<Offer> = []
  readonly rejections: Array<Rejection> = []
  readonly breaches: Array<string> = []
  readonly lines: Array<LogLine> = []
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
  }

  now(): When {
    return { atMillis: this.scheduler.nowMillis, step: this.scheduler.step }
  }

  log(level: string, text: string): void {
    this.lines.push({ atMillis: this.scheduler.nowMillis, level, text })
  }

  breach(what: string): void {
    this.breaches.push(what)
  }
}
