/** Exchanges that have a story to tell: each is written down in bytes when it is over, and told when somebody asks. */
import { Writer } from "../../protocols/protobuf/Writer.ts"
import type { Curiosity } from "./Curiosity.ts"
import { explain, type Explanation } from "./explanation.ts"
import { idOf, read, write } from "./packed.ts"
import { type Remains, remainsOf } from "./Remains.ts"
import { Ring } from "./Ring.ts"
import type { Witness } from "./Told.ts"

/** Stories that are kept in memory by each thread, and the room they have; the oldest make room. */
export const storiesMax = 4_000
const storiesBytesMax = 4 * 1024 * 1024

export class Stories {
  private readonly ring: Ring
  private readonly writer = new Writer(4 * 1024)

  constructor(onForgotten: (count: number) => void = () => {}) {
    this.ring = new Ring({ bytesMax: storiesBytesMax, recordsMax: storiesMax, onForgotten })
  }

  get size(): number {
    return this.ring.size
  }

  get(id: string): Explanation | undefined {
    for (let i = 0; i < this.ring.size; i++) {
      const record = this.ring.newest(i)
      if (record !== undefined && idOf(record) === id) return explain(read(record))
    }
    return undefined
  }

  /** The newest first. */
  latest(count: number): ReadonlyArray<Explanation> {
    const found: Array<Explanation> = []
    for (let i = 0; i < Math.min(count, this.ring.size); i++) {
      const record = this.ring.newest(i)
      if (record !== undefined) found.push(explain(read(record)))
    }
    return found
  }

  add(remains: Remains): void {
    const { writer } = this
    writer.rewind(0)
    write(writer, remains)
    this.ring.add(writer.finish())
  }
}

export const storyWitness = (stories: Stories, curiosity: Curiosity): Witness => ({
  wants: ({ id, inquiry }) => id !== undefined || inquiry !== undefined,
  tell: (told) => {
    const { id, trace, trail } = told.exchange
    if (id === undefined) return
    // One that was told only because somebody waits for others is not worth keeping.
    const isKept =
      trail.refusal !== undefined || trail.declined !== undefined || trace !== undefined || curiosity.takes(told)
    if (isKept) stories.add(remainsOf(told, id))
  },
})
