/** Names of resources: each kind has its own brand, so that one can never stand for another. */
import * as Schema from "effect/Schema"

export const BindKey = Schema.NonEmptyString.pipe(Schema.brand("BindKey"))
export type BindKey = typeof BindKey.Type

export const ListenerKey = Schema.NonEmptyString.pipe(Schema.brand("ListenerKey"))
export type ListenerKey = typeof ListenerKey.Type

export const RouteKey = Schema.NonEmptyString.pipe(Schema.brand("RouteKey"))
export type RouteKey = typeof RouteKey.Type

export const TcpRouteKey = Schema.NonEmptyString.pipe(Schema.brand("TcpRouteKey"))
export type TcpRouteKey = typeof TcpRouteKey.Type

export const RouteGroupKey = Schema.NonEmptyString.pipe(Schema.brand("RouteGroupKey"))
export type RouteGroupKey = typeof RouteGroupKey.Type

export const BackendKey = Schema.NonEmptyString.pipe(Schema.brand("BackendKey"))
export type BackendKey = typeof BackendKey.Type

/** `namespace/hostname`. */
export const ServiceKey = Schema.NonEmptyString.pipe(Schema.brand("ServiceKey"))
export type ServiceKey = typeof ServiceKey.Type

export const WorkloadKey = Schema.NonEmptyString.pipe(Schema.brand("WorkloadKey"))
export type WorkloadKey = typeof WorkloadKey.Type

export const AttachmentKey = Schema.NonEmptyString.pipe(Schema.brand("AttachmentKey"))
export type AttachmentKey = typeof AttachmentKey.Type
