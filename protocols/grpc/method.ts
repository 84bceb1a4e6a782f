/** A method of a service as its description says; this is where the protobuf library comes in. */
import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf"

/** What a call has to know of a method. */
export interface Method<in I, out O> {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly encode: (message: I) => Uint8Array
  /** Throws where the bytes are no such message. */
  readonly decode: (bytes: Uint8Array) => O
}

export const methodOf = <I extends DescMessage, O extends DescMessage>(
  described: DescMethod & { readonly input: I; readonly output: O },
): Method<MessageShape<I>, MessageShape<O>> => ({
  path: `/${described.parent.typeName}/${described.name}`,
  encode: (message) => toBinary(described.input, message),
  decode: (bytes) => fromBinary(described.output, bytes),
})
