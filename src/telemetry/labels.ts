/** What the configuration of the process says about labels and attributes. */

export interface ObservedSettings {
  /** Further labels of metrics, by name. */
  readonly labels: ReadonlyArray<{ readonly name: string; readonly expression: string }>
  readonly user?: string | undefined
  readonly group?: string | undefined
}

/** A label is part of a text format: what is no name there becomes one. */
export const labelName = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, "_").replace(/^(?=[0-9])/, "_")
