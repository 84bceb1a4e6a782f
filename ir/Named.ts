/**
 * An interface can extend an inferred type only through a name. Schemas that many others contain are given one, or the
 * compiler would write out their whole structure wherever they are used.
 */
export type Named<A> = A
