/** A record that finds its fields by name. */
import { type CelValue, type Key, MapView } from "../../../ir/cel/CelValue.ts"

export abstract class FieldView extends MapView {
  protected abstract readonly names: ReadonlyArray<string>
  protected abstract field(name: string): CelValue | undefined
  get(key: Key): CelValue | undefined {
    return typeof key === "string" ? this.field(key) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    return this.names.filter((name) => this.field(name) !== undefined)
  }
}
