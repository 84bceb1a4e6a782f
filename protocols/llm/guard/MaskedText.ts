/**
 * A text in which some ranges were replaced, any number of times, and which still knows where in the original every
 * piece of it was. That is what lets a stream be cut anywhere after it was masked.
 */
export interface Span {
  readonly start: number
  readonly end: number
  readonly text: string
}

interface Segment {
  /** In the original. */
  readonly start: number
  readonly end: number
  /** Absent: as it was. */
  readonly text: string | undefined
}

export class MaskedText {
  readonly original: string
  private segments: ReadonlyArray<Segment>

  constructor(original: string) {
    this.original = original
    this.segments = [{ start: 0, end: original.length, text: undefined }]
  }

  get isMasked(): boolean {
    return this.segments.some((segment) => segment.text !== undefined)
  }

  get text(): string {
    return this.between(0, this.original.length)
  }

  /** Replaces ranges of the text as it is now. They may touch what was replaced before, which then goes as a whole. */
  replace(spans: ReadonlyArray<Span>): void {
    let all = [...this.segments]
    // From behind, so that what is still to be done keeps its place.
    for (const span of spans.toSorted((a, b) => b.start - a.start)) {
      if (span.end <= span.start) continue
      let at = 0
      const before: Array<Segment> = []
      const after: Array<Segment> = []
      let start = -1
      let end = -1
      for (const segment of all) {
        const length = (segment.text ?? this.original.slice(segment.start, segment.end)).length
        const from = Math.max(span.start, at)
        const to = Math.min(span.end, at + length)
        if (to <= from) {
          // Something that was replaced by nothing belongs to whatever surrounds it.
          const target = at + length <= span.start ? before : after
          target.push(segment)
        } else if (segment.text === undefined) {
          const first = segment.start + (from - at)
          const last = segment.start + (to - at)
          if (first > segment.start) before.push({ start: segment.start, end: first, text: undefined })
          if (last < segment.end) after.push({ start: last, end: segment.end, text: undefined })
          if (start < 0) start = first
          end = last
        } else {
          if (start < 0) start = segment.start
          end = segment.end
        }
        at += length
      }
      if (start >= 0) all = [...before, { start, end, text: span.text }, ...after]
    }
    this.segments = all
  }

  /** Takes another text for this one: what both have in common at either end stays as it was. */
  become(text: string): void {
    const now = this.text
    if (text === now) return
    const shorter = Math.min(text.length, now.length)
    let head = 0
    while (head < shorter && text[head] === now[head]) head++
    let tail = 0
    while (tail < shorter - head && text[text.length - 1 - tail] === now[now.length - 1 - tail]) tail++
    if (now.length - tail > head)
      this.replace([{ start: head, end: now.length - tail, text: text.slice(head, text.length - tail) }])
    // Nothing is taken away, something is put in: it takes the place of a neighbour.
    else if (now.length > 0) {
      const place = head < now.length ? head : head - 1
      const kept = now[place] ?? ""
      const put = text.slice(head, text.length - tail)
      this.replace([{ start: place, end: place + 1, text: place === head ? put + kept : kept + put }])
    }
  }

  /** The last place at or before `place` at which the text can be cut without cutting a replacement. */
  cutBefore(place: number): number {
    const inside = this.segments.find(
      (segment) => segment.text !== undefined && segment.start < place && place < segment.end,
    )
    return inside === undefined ? place : inside.start
  }

  /** What was replaced, by its place in the original. */
  get replacements(): ReadonlyArray<Span> {
    return this.segments.flatMap(({ start, end, text }) => (text === undefined ? [] : [{ start, end, text }]))
  }

  /** Where the replacement ends that begins before `place` and reaches beyond it; else the place itself. */
  coveredUntil(place: number): number {
    const inside = this.segments.find(
      (segment) => segment.text !== undefined && segment.start < place && place < segment.end,
    )
    return inside === undefined ? place : inside.end
  }

  /**
   * What became of a range of the original; a replacement stands where it begins. With `isFirst`, one that began
   * before the range and reaches into it stands at the beginning of the range.
   */
  between(start: number, end: number, isFirst = false): string {
    let out = ""
    for (const segment of this.segments) {
      if (segment.text === undefined) {
        const from = Math.max(start, segment.start)
        const to = Math.min(end, segment.end)
        if (from < to) out += this.original.slice(from, to)
      } else if (segment.start >= start ? segment.start < end : isFirst && segment.end > start) out += segment.text
    }
    return out
  }
}
