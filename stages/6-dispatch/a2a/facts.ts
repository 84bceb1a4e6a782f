/** What expressions may ask for. */
export const a2aFacts = [
  "agent",
  "binding",
  "version",
  "method",
  "operation",
  "skill",
  "taskId",
  "contextId",
  "taskOwner",
  "pushUrl",
  "message",
  "response",
] as const
