import type { ImmediateResponse } from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import { whole } from "../../buffer.ts"
import type { Mutation } from "../mutation.ts"

/** A request or a reply, as the processor may change it. */
export interface Subject {
  readonly pseudo: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers: Headers
  body: Body.Body
  /** There is nothing to show of a body: a tunnel, or a reply that has none. */
  readonly isBodiless: boolean
  readonly change: (mutation: Mutation) => void
}

/** What became of a side. Fails with a reason in words. */
export type Outcome =
  | { readonly _tag: "Continue" }
  | { readonly _tag: "Immediate"; readonly response: ImmediateResponse }

export const proceed: Outcome = { _tag: "Continue" }

export const replaceBody = (subject: Subject, bytes: Uint8Array, trailers: Headers | undefined): void => {
  Body.discard(subject.body)
  subject.body = trailers === undefined ? Body.bytes(bytes) : whole({ _tag: "Whole", bytes, trailers })
  subject.headers.remove("content-length")
}

/** Another beginning in front of the rest of a body. */
export const afterPrefix = (
  { body, prefix }: Extract<Body.Collected, { readonly _tag: "Partial" }>,
  beginning: Uint8Array,
): Body.Body => {
  if (body._tag === "Bytes") {
    return Body.bytes(
      Body.join(
        [beginning, body.bytes.subarray(prefix.byteLength)],
        beginning.byteLength + body.bytes.byteLength - prefix.byteLength,
      ),
    )
  }
  if (body._tag === "Empty") return Body.bytes(beginning)
  return {
    _tag: "Flow",
    length: undefined,
    open: (sink) => {
      let skip = prefix.byteLength
      if (beginning.byteLength > 0) sink.write(beginning)
      return body.open({
        write: (chunk) => {
          const skipped = Math.min(skip, chunk.byteLength)
          skip -= skipped
          return skipped === chunk.byteLength || sink.write(skipped === 0 ? chunk : chunk.subarray(skipped))
        },
        end: (trailers) => sink.end(trailers),
        fail: (failure) => sink.fail(failure),
      })
    },
  }
}
