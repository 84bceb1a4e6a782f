/** All that the rest of the gateway takes of MCP; it is loaded with the first configuration that has a server. */
export { entrance } from "./down/rebinding.ts"
export { examinations } from "./examine.ts"
export { McpState } from "./McpState.ts"
export { Connections } from "./oauth/Connections.ts"
export { registerOf } from "./oauth/register.ts"
export { servePassed } from "./passed.ts"
export { ownPolicies, reachMcp } from "./reach.ts"
export { makeMcpTarget } from "./target/makeTarget.ts"
