import {
  ProcessingMode_BodySendMode as BodySendMode,
  ProcessingMode_HeaderSendMode as HeadSendMode,
} from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"

export type BodyMode = "none" | "buffered" | "bufferedPartial" | "fullDuplexStreamed"

/** What of one side is shown. */
export interface Shown {
  readonly headers: boolean
  readonly body: BodyMode
  readonly trailers: boolean
}

export const bodyModes: Readonly<Record<BodyMode, BodySendMode>> = {
  none: BodySendMode.NONE,
  buffered: BodySendMode.BUFFERED,
  bufferedPartial: BodySendMode.BUFFERED_PARTIAL,
  fullDuplexStreamed: BodySendMode.FULL_DUPLEX_STREAMED,
}

export const bodyModeOf = (mode: number): BodyMode | undefined =>
  (Object.keys(bodyModes) as ReadonlyArray<BodyMode>).find((name) => bodyModes[name] === mode)

/** Whether headers or trailers are shown. */
export const headModeOf = (mode: number, otherwise: boolean): boolean =>
  mode === HeadSendMode.SEND ? true : mode === HeadSendMode.SKIP ? false : otherwise
