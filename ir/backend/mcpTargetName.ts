/** What a target of an MCP backend may be called: delimiters of prefixed names, `_` and `+`, are not among the letters. */
export const mcpTargetName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
