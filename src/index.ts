/** The gateway as a part of your own program; docs/embedding.md shows how. */
export * as Gateway from "./Gateway.ts"
export * as Node from "./node/world.ts"
export * as Source from "./config/sources.ts"
export * as Telemetry from "./telemetry/Telemetry.ts"
export * as Journal from "../stages/ports/Journal.ts"
export * as Network from "../stages/ports/Network.ts"
export * as Timer from "../stages/ports/Timer.ts"
export * as Upstream from "../stages/ports/Upstream.ts"
