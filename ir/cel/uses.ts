/** What expressions are asked for, and which results each of these can take. */
import { bool, bytes, double, duration, dyn, int, list, map, named, string, type Type, uint } from "./Type.ts"

const texts: ReadonlyArray<Type> = [string, bytes]

/** By the name that the metric of failures has for it; undefined: any result will do. */
export const uses = {
  authorization: [bool],
  networkAuthorization: [bool],
  cedar: undefined,
  condition: [bool],
  credential: [string],
  header: texts,
  status: [int, uint],
  headers: [map(dyn, dyn), named("headers")],
  body: undefined,
  metadata: undefined,
  directResponse: undefined,
  delay: [duration, int, uint, double],
  retry: [bool],
  health: [bool],
  target: [string],
  sessionAffinity: texts,
  logFilter: [bool],
  logField: undefined,
  metricLabel: undefined,
  sampling: [bool, double, int, uint],
  descriptor: [string, bool, int, uint, bytes],
  cost: [int, uint],
  limit: undefined,
  extAuthz: undefined,
  extProc: undefined,
  mcpArgument: undefined,
  mcpGuardrail: [bool],
  mcpTransform: [map(string, dyn)],
  llmField: undefined,
  parameter: [string],
  awsTag: [string, bool, int, uint, bytes],
  key: [string, bytes, bool, int, uint, list(dyn)],
} as const satisfies Readonly<Record<string, ReadonlyArray<Type> | undefined>>

export type Use = keyof typeof uses
