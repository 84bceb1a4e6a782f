/** Socket options of connections from clients. */
import * as Schema from "effect/Schema"
import { Keepalive } from "./Keepalive.ts"

export const Tcp = Schema.TaggedStruct("Tcp", { keepalive: Keepalive })
export type Tcp = typeof Tcp.Type
