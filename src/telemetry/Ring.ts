/** Records of bytes, the newest of them: they are kept beside the heap, where no garbage collection has to look at them. */

export interface RingOptions {
  readonly bytesMax: number
  readonly recordsMax: number
  /** Told of every record that made room for another. */
  readonly onForgotten: (count: number) => void
}

/** Room that is taken at first; most gateways never need more. */
const firstBytes = 64 * 1024

export class Ring {
  private readonly options: RingOptions
  private bytes = new Uint8Array(0)
  /** Where the next record begins. */
  private end = 0
  /** Begin and length of each record, round and round. */
  private readonly begins: Int32Array
  private readonly lengths: Int32Array
  private oldest = 0
  private count = 0

  constructor(options: RingOptions) {
    this.options = options
    this.begins = new Int32Array(options.recordsMax)
    this.lengths = new Int32Array(options.recordsMax)
  }

  get size(): number {
    return this.count
  }

  /** False: it is longer than everything that may be kept. */
  add(record: Uint8Array): boolean {
    const { byteLength } = record
    const { bytesMax, recordsMax } = this.options
    if (byteLength > bytesMax) return false
    if (this.count === recordsMax) this.forget()
    let begin = this.end
    if (begin + byteLength > this.bytes.byteLength) {
      if (this.bytes.byteLength < bytesMax) this.grow(begin + byteLength)
      if (begin + byteLength > this.bytes.byteLength) {
        // What is behind the end is older than what is at the beginning.
        while (this.count > 0 && (this.begins[this.oldest] as number) >= begin) this.forget()
        begin = 0
      }
    }
    const next = begin + byteLength
    while (this.count > 0 && this.overlaps(begin, next)) this.forget()
    this.bytes.set(record, begin)
    this.end = next
    const at = (this.oldest + this.count++) % recordsMax
    this.begins[at] = begin
    this.lengths[at] = byteLength
    return true
  }

  /** The one that was added so many before the newest; it is good until the next is added. */
  newest(before: number): Uint8Array | undefined {
    if (before < 0 || before >= this.count) return undefined
    const at = (this.oldest + this.count - 1 - before) % this.options.recordsMax
    const begin = this.begins[at] as number
    return this.bytes.subarray(begin, begin + (this.lengths[at] as number))
  }

  private overlaps(begin: number, end: number): boolean {
    const first = this.begins[this.oldest] as number
    return first < end && first + (this.lengths[this.oldest] as number) > begin
  }

  private forget(): void {
    this.oldest = (this.oldest + 1) % this.options.recordsMax
    this.count--
    this.options.onForgotten(1)
  }

  private grow(needed: number): void {
    let size = Math.max(firstBytes, this.bytes.byteLength)
    while (size < needed) size *= 2
    const bytes = new Uint8Array(Math.min(size, this.options.bytesMax))
    bytes.set(this.bytes)
    this.bytes = bytes
  }
}
