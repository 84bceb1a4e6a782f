/** The admin API, loaded when somebody first asks it something. */
import type { Clock } from "../../../stages/ports/Timer.ts"
import type { Guard } from "../guard.ts"
import { type Answer, type Asked, json, methodNotAllowed, notFound } from "../serve.ts"
import { type ConfigFile, configEndpoints } from "./config.ts"
import { endpoint, type Endpoint, find } from "./Endpoint.ts"
import { logEndpoints } from "./logs.ts"
import { type Opening, modelEndpoints, type SharedSpending } from "./models.ts"
import { openapi } from "./openapi.ts"
import { AnyJson } from "./replies.ts"
import { operateEndpoints } from "./operate.ts"
import { type Runtime, runtimeEndpoints } from "./runtime.ts"

export interface V1Options {
  readonly runtime: Runtime
  readonly clock: Clock
  readonly config: ConfigFile | undefined
  readonly sensitiveHeaders: ReadonlyArray<string>
  readonly version: string
  readonly guard: Guard
  /** Absent: there is no storage, so no keys and no budgets. */
  readonly storage?: Opening | undefined
  /** Absent: nothing is shared with other gateways. */
  readonly shared?: SharedSpending | undefined
  /** Endpoints of other parts of the gateway. */
  readonly more?: ReadonlyArray<Endpoint>
}

export const endpointsOf = ({
  clock,
  config,
  more = [],
  runtime,
  sensitiveHeaders,
  shared,
  storage,
  version,
}: Omit<V1Options, "guard">): ReadonlyArray<Endpoint> => {
  const all: Array<Endpoint> = [
    ...runtimeEndpoints(runtime),
    ...configEndpoints(config, sensitiveHeaders),
    ...operateEndpoints(runtime),
    ...logEndpoints(runtime.requestLog, clock),
    ...(storage === undefined ? [] : modelEndpoints(storage, clock, shared)),
    ...more,
  ]
  all.push(
    endpoint({
      method: "GET",
      path: "/api/openapi.json",
      summary: "This description",
      reply: AnyJson,
      run: () => json(openapi(all, version)),
    }),
  )
  return all
}

/** Everything that reads prompts or changes something is for whoever may change something. */
export const make = (options: V1Options): ((asked: Asked) => Promise<Answer>) => {
  const { guard } = options
  const endpoints = endpointsOf(options)
  return async (asked) => {
    const found = find(endpoints, asked.method, asked.path)
    if (found === undefined) return guard.read(asked) ?? notFound
    if (!("endpoint" in found)) return guard.read(asked) ?? methodNotAllowed(found.join(", "))
    const refused = found.endpoint.isGuarded ? guard.change(asked) : guard.read(asked)
    return refused ?? found.endpoint.run(asked, found.name)
  }
}
