/** A service whose messages are known to both sides without generated code. */
import { serviceOf } from "./grpc.ts"
import type { Method } from "../../protocols/grpc/method.ts"

const folder = new URL("proto/", import.meta.url).pathname

export interface Words {
  readonly text: string
  readonly times: number
}

export const Echo = serviceOf("echo.proto", "test.Echo", [folder])

export const method = (name: "Once" | "Many"): Method<Words, Words> => {
  const described = Echo[name]
  if (described === undefined) throw new Error(name)
  return {
    path: described.path,
    encode: described.requestSerialize,
    decode: (bytes) => described.responseDeserialize(Buffer.from(bytes)) as Words,
  }
}
