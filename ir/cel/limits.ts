/** What one evaluation may use; passing a limit is an error of the expression, never a stall of the loop. */
import { CelError } from "./CelValue.ts"

/** Loop rounds and function calls of one evaluation. */
export const EVALUATION_STEPS_MAX = 100_000
/** Characters, bytes or elements of one value an expression makes. */
export const VALUE_LENGTH_MAX = 8 * 1024 * 1024

export const tooLong = new CelError("tooMuch", `a value would be longer than ${VALUE_LENGTH_MAX}`)
export const tooManySteps = new CelError("tooMuch", `the expression took more than ${EVALUATION_STEPS_MAX} steps`)
