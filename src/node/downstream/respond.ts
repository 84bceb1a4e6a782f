/** The fields of a reply over HTTP/2, in the ways that Node takes them. */
import type { ServerHttp2Stream, ServerStreamResponseOptions } from "node:http2"
import { fieldsOf } from "../fieldsOf.ts"

let takesPairs = true

/** Node takes fields as they are in turn only from 24 on; before that they go by name, which keeps those of one name in order. */
export const respond = (
  stream: Pick<ServerHttp2Stream, "respond">,
  flat: ReadonlyArray<string>,
  options: ServerStreamResponseOptions,
): void => {
  if (takesPairs) {
    try {
      return stream.respond(flat, options)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_INVALID_ARG_TYPE") throw error
      takesPairs = false
    }
  }
  stream.respond(fieldsOf(flat), options)
}
