/** Why a piece of text is not what it should be; where it stands is known only to the caller. */
import * as Result from "effect/Result"

export interface Complaint {
  readonly message: string
  readonly remedy: string
}

export type Parsed<A> = Result.Result<A, Complaint>

export const refuse = (message: string, remedy = ""): Result.Result<never, Complaint> =>
  Result.fail({ message, remedy })
