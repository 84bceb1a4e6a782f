/** What a federation is made of. */
import type { Guard } from "../guardrails/Guard.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Access } from "./Access.ts"
import type { Member } from "./Member.ts"

export interface FederationSettings {
  readonly members: ReadonlyArray<Member>
  readonly prefixMode: "conditional" | "always" | "never" | "onConflict"
  /** Whether lists come whole, or as one page of every target at a time. */
  readonly pagination: "whole" | "composite"
  /** How many items at most are sent at once of a list that comes whole; absent: all. */
  readonly pageSize?: number | undefined
  readonly failureMode: "failClosed" | "failOpen"
  readonly access: Access
  /** Absent: nobody looks at what passes. */
  readonly guard?: Guard | undefined
  readonly runtime: McpRuntime
}
