/** The Cedar engine: judges a request by policies that were read before. */

/** A value as Cedar writes it in JSON. */
export type CedarValue = string | number | boolean | ReadonlyArray<CedarValue> | { readonly [name: string]: CedarValue }

export interface EntityId {
  readonly type: string
  readonly id: string
}

export interface Entity {
  readonly uid: EntityId
  readonly attrs: { readonly [name: string]: CedarValue }
  readonly parents: ReadonlyArray<EntityId>
}

export interface CedarRequest {
  readonly principal: EntityId
  readonly action: EntityId
  readonly resource: EntityId
  readonly context: { readonly [name: string]: CedarValue }
  /** Those of the request; they stand before configured ones of the same name. */
  readonly entities: ReadonlyArray<Entity>
}

export interface Judgement {
  readonly isAllowed: boolean
  /** The policies that could not be evaluated. */
  readonly failed: ReadonlyArray<{ readonly policy: string; readonly isForbidding: boolean; readonly why: string }>
}

export interface CedarSet {
  /** A text: the request cannot be told to the engine. */
  readonly judge: (request: CedarRequest) => Judgement | string
}

export interface Cedar {
  /** Read when the first request is judged. */
  readonly set: (policies: string, entities: ReadonlyArray<unknown>) => CedarSet
}
