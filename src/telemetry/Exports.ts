/** The exporter, loaded when there is something to export: whoever configures none does not carry it. */
import * as Effect from "effect/Effect"
import type { Exporter, ExporterOptions } from "./otlp/Exporter.ts"

/** What waits while it is being loaded. */
const waitingMax = 4_096

export class Exports {
  private readonly options: ExporterOptions
  private exporter: Exporter | undefined
  private loading: Promise<void> | undefined
  private waiting: Array<(exporter: Exporter) => void> = []

  constructor(options: ExporterOptions) {
    this.options = options
  }

  use(work: (exporter: Exporter) => void): void {
    if (this.exporter !== undefined) return work(this.exporter)
    if (this.waiting.length >= waitingMax) return this.options.onDropped("traces", 1, "the exporter is still loading")
    this.waiting.push(work)
    this.loading ??= this.load()
  }

  get size(): number {
    return this.waiting.length + (this.exporter?.size ?? 0)
  }

  /** Sends what waits, for at most so long. */
  flush(millis: number): Effect.Effect<void> {
    return Effect.promise(async () => {
      await this.loading
      const { exporter } = this
      if (exporter === undefined) return
      let cancel = (): void => {}
      const patience = new Promise<void>((resolve) => (cancel = this.options.clock.after(millis, resolve)))
      await Promise.race([exporter.flush(), patience])
      cancel()
    })
  }

  private async load(): Promise<void> {
    const { Exporter } = await import("./otlp/Exporter.ts")
    const exporter = new Exporter(this.options)
    this.exporter = exporter
    const { waiting } = this
    this.waiting = []
    for (const work of waiting) work(exporter)
  }
}
