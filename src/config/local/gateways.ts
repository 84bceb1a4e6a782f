/** Entry points: gateways, and the low-level binds. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { anyCase, opt, Port, PortOrZero, req } from "./grammar.ts"
import { GatewayPolicies, gatewayPolicies } from "./policies.ts"
import { LocalRoute, TcpRoute } from "./routes.ts"
import { ServerTls } from "./tls.ts"

const GatewayProtocol = anyCase(["HTTP", "HTTPS", "TCP", "TLS", "MCP", "A2A"])

const gatewayListenerShape = Schema.Struct({
  name: opt(Schema.NonEmptyString, "`listener<i>` unless set."),
  hostname: opt(Schema.NonEmptyString, "Exact or `*.suffix`; any unless set."),
  protocol: opt(GatewayProtocol),
  tls: opt(ServerTls),
  ...gatewayPolicies,
}).annotate({ identifier: "GatewayListener" })
export interface GatewayListenerSchema extends Named<typeof gatewayListenerShape> {}
export const GatewayListener: GatewayListenerSchema = gatewayListenerShape
export type GatewayListener = typeof GatewayListener.Type

const gatewayShape = Schema.Struct({
  port: req(Port, "Port to listen on."),
  protocol: opt(GatewayProtocol, "HTTPS where `tls` is set, otherwise HTTP."),
  tls: opt(ServerTls),
  listeners: opt(Schema.Array(GatewayListener), "Several host names or protocols on the port."),
  ...gatewayPolicies,
}).annotate({ identifier: "Gateway", description: "A port and what is served there." })
export interface GatewaySchema extends Named<typeof gatewayShape> {}
export const Gateway: GatewaySchema = gatewayShape
export type Gateway = typeof Gateway.Type

const listenerShape = Schema.Struct({
  name: opt(Schema.NonEmptyString, "`listener<i>` unless set."),
  namespace: opt(Schema.String),
  hostname: opt(Schema.String, "Exact or `*.suffix`; any unless set."),
  protocol: opt(anyCase(["HTTP", "HTTPS", "TLS", "TCP", "HBONE", "MCP", "A2A"]), "HTTP unless set."),
  tls: opt(ServerTls),
  routes: opt(Schema.Array(LocalRoute)),
  tcpRoutes: opt(Schema.Array(TcpRoute)),
  policies: opt(GatewayPolicies),
}).annotate({ identifier: "Listener" })
export interface ListenerSchema extends Named<typeof listenerShape> {}
export const Listener: ListenerSchema = listenerShape
export type Listener = typeof Listener.Type

const bindShape = Schema.Struct({
  port: opt(PortOrZero),
  mode: opt(anyCase(["standard", "internal"]), "`internal` opens no socket."),
  tunnelProtocol: opt(anyCase(["direct", "hboneWaypoint", "hboneGateway", "proxy", "connect"])),
  listeners: Schema.Array(Listener),
}).annotate({ identifier: "Bind" })
export interface BindSchema extends Named<typeof bindShape> {}
export const Bind: BindSchema = bindShape
export type Bind = typeof Bind.Type
