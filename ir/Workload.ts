/** Services, their endpoints and where they stand. */
import * as Schema from "effect/Schema"
import { ServiceKey, WorkloadKey } from "./Key.ts"

export const Locality = Schema.Struct({ region: Schema.String, zone: Schema.String, subzone: Schema.String })
export type Locality = typeof Locality.Type

export const LocalityScope = Schema.Literals(["Region", "Zone", "Subzone", "Node", "Cluster", "Network"])
export type LocalityScope = typeof LocalityScope.Type

export const LoadBalancer = Schema.Struct({
  routingPreferences: Schema.Array(LocalityScope),
  mode: Schema.Literals(["Standard", "Strict", "Failover", "Passthrough"]),
  healthPolicy: Schema.Literals(["OnlyHealthy", "AllowAll"]),
})
export type LoadBalancer = typeof LoadBalancer.Type

export const AppProtocol = Schema.Literals(["Http11", "Http2", "Grpc", "Tls", "Tcp"])
export type AppProtocol = typeof AppProtocol.Type

/** Keys of the port maps are port numbers written as text. */
export const PortMap = Schema.Record(Schema.String, Schema.Port)

export const Service = Schema.Struct({
  key: ServiceKey,
  name: Schema.NonEmptyString,
  namespace: Schema.String,
  hostname: Schema.NonEmptyString,
  vips: Schema.Array(Schema.String),
  /** What selectors look at. */
  labels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  ports: PortMap,
  appProtocols: Schema.Record(Schema.String, AppProtocol),
  subjectAltNames: Schema.Array(Schema.String),
  loadBalancer: Schema.optionalKey(LoadBalancer),
  ipFamilies: Schema.optionalKey(Schema.Literals(["Dual", "IPv4", "IPv6"])),
})
export type Service = typeof Service.Type

export const Workload = Schema.Struct({
  key: WorkloadKey,
  name: Schema.String,
  namespace: Schema.String,
  addresses: Schema.Array(Schema.NonEmptyString),
  hostname: Schema.String,
  protocol: Schema.Literals(["TCP", "HBONE", "LegacyIstioMtls"]),
  network: Schema.String,
  trustDomain: Schema.String,
  serviceAccount: Schema.String,
  node: Schema.String,
  clusterId: Schema.String,
  locality: Schema.optionalKey(Locality),
  healthy: Schema.Boolean,
  /** 0 takes the workload out of ordinary choice. */
  capacity: Schema.Natural,
  /** Service key to that service's port map for this workload. */
  services: Schema.Record(Schema.String, PortMap),
})
export type Workload = typeof Workload.Type
