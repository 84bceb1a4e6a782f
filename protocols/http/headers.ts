/**
 * Header fields in the order they arrived, as one flat list: name, value, name, value …
 * The list is what parsers give and serialisers take, so a relay never rebuilds it; names are in lower case.
 */
export class Headers {
  /** Mutable on purpose: an exchange owns its headers and edits them in place. */
  readonly flat: Array<string>

  constructor(flat: Array<string> = []) {
    this.flat = flat
  }

  static from(fields: Readonly<Record<string, string>>): Headers {
    const flat: Array<string> = []
    for (const name of Object.keys(fields)) flat.push(name.toLowerCase(), fields[name] as string)
    return new Headers(flat)
  }

  /** The first value of a field. */
  get(name: string): string | undefined {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
    return undefined
  }

  has(name: string): boolean {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return true
    return false
  }

  all(name: string): ReadonlyArray<string> {
    const flat = this.flat
    const values: Array<string> = []
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) values.push(flat[i + 1] as string)
    return values
  }

  /** Replaces every field of that name by one, in the place of the first. */
  set(name: string, value: string): void {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue
      flat[i + 1] = value
      this.removeFrom(name, i + 2)
      return
    }
    flat.push(name, value)
  }

  append(name: string, value: string): void {
    this.flat.push(name, value)
  }

  remove(name: string): void {
    this.removeFrom(name, 0)
  }

  copy(): Headers {
    return new Headers(this.flat.slice())
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: string]> {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) yield [flat[i] as string, flat[i + 1] as string]
  }

  private removeFrom(name: string, start: number): void {
    const flat = this.flat
    let kept = start
    for (let i = start; i < flat.length; i += 2) {
      if (flat[i] === name) continue
      flat[kept] = flat[i] as string
      flat[kept + 1] = flat[i + 1] as string
      kept += 2
    }
    flat.length = kept
  }
}
