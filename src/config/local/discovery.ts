/** Services and their endpoints, written down instead of discovered. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { Locality } from "../../../ir/Workload.ts"
import { anyCase, Count, opt, Port, TextMap, Texts } from "./grammar.ts"

const PortMap = Schema.Record(Schema.String, Port)
export type PortMap = typeof PortMap.Type

const serviceShape = Schema.Struct({
  name: Schema.NonEmptyString,
  namespace: Schema.String,
  hostname: Schema.NonEmptyString,
  labels: opt(TextMap, "What selectors look at."),
  vips: Texts,
  ports: PortMap,
  appProtocols: opt(Schema.Record(Schema.String, anyCase(["Http11", "Http2", "Grpc", "Tls", "Tcp"]))),
  subjectAltNames: opt(Texts),
  waypoint: opt(Schema.Json),
  weightedWaypoints: opt(Schema.Array(Schema.Json)),
  loadBalancer: opt(
    Schema.Struct({
      routingPreferences: Schema.Array(anyCase(["Region", "Zone", "Subzone", "Node", "Cluster", "Network"])),
      mode: anyCase(["Standard", "Strict", "Failover", "Passthrough"]),
      healthPolicy: anyCase(["OnlyHealthy", "AllowAll"]),
    }),
  ),
  ipFamilies: opt(anyCase(["Dual", "IPv4", "IPv6"])),
  ingressUseWaypoint: opt(Schema.Boolean),
}).annotate({ identifier: "Service" })
export interface ServiceSchema extends Named<typeof serviceShape> {}
export const Service: ServiceSchema = serviceShape
export type Service = typeof Service.Type

const workloadShape = Schema.Struct({
  workloadIps: Texts,
  name: Schema.String,
  namespace: Schema.String,
  uid: opt(Schema.NonEmptyString),
  protocol: opt(anyCase(["TCP", "HBONE", "LegacyIstioMtls"])),
  networkMode: opt(anyCase(["Standard", "HostNetwork"])),
  trustDomain: opt(Schema.String),
  serviceAccount: opt(Schema.String),
  network: opt(Schema.String),
  workloadName: opt(Schema.String),
  workloadType: opt(Schema.String),
  canonicalName: opt(Schema.String),
  canonicalRevision: opt(Schema.String),
  hostname: opt(Schema.String),
  node: opt(Schema.String),
  status: opt(anyCase(["Healthy", "Unhealthy"])),
  clusterId: opt(Schema.String),
  locality: opt(
    Schema.Struct({
      region: opt(Locality.fields.region),
      zone: opt(Locality.fields.zone),
      subzone: opt(Locality.fields.subzone),
    }),
  ),
  hboneMtlsPort: opt(Port),
  capacity: opt(Count, "1 unless set; 0 takes it out of ordinary choice."),
  waypoint: opt(Schema.Json),
  networkGateway: opt(Schema.Struct({ destination: Schema.NonEmptyString, hboneMtlsPort: opt(Port) })),
  services: opt(Schema.Record(Schema.String, PortMap), "Port maps by `namespace/hostname` of a service."),
}).annotate({ identifier: "Workload" })
export interface WorkloadSchema extends Named<typeof workloadShape> {}
export const Workload: WorkloadSchema = workloadShape
export type Workload = typeof Workload.Type
