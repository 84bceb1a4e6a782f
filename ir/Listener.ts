/** A hostname and a protocol on a bind. */
import * as Schema from "effect/Schema"
import { BindKey, ListenerKey } from "./Key.ts"
import { ServerTls } from "./Tls.ts"

export const ListenerName = Schema.Struct({
  gatewayName: Schema.String,
  gatewayNamespace: Schema.String,
  listenerName: Schema.String,
  listenerSet: Schema.optionalKey(
    Schema.Struct({ name: Schema.String, namespace: Schema.String, section: Schema.optionalKey(Schema.String) }),
  ),
})
export type ListenerName = typeof ListenerName.Type

export const ListenerProtocol = Schema.Literals(["HTTP", "HTTPS", "TLS", "TCP", "HBONE"])
export type ListenerProtocol = typeof ListenerProtocol.Type

export const Listener = Schema.Struct({
  key: ListenerKey,
  bind: BindKey,
  name: ListenerName,
  /** Exact, `*.suffix`, or `*` for any; always in lower case. */
  hostname: Schema.NonEmptyString,
  protocol: ListenerProtocol,
  /** Absent on a `TLS` listener: bytes pass through unread. */
  tls: Schema.optionalKey(ServerTls),
  /** What the backends of this listener speak unless they say otherwise. */
  backendProtocol: Schema.optionalKey(Schema.Literals(["mcp", "a2a"])),
})
export type Listener = typeof Listener.Type
