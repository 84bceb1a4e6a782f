/** Every expression of a snapshot, where it stands, and what it is evaluated with. */
import type { LlmProvider } from "./backend/Llm.ts"
import type { Backend } from "./Backend.ts"
import type { BackendRef } from "./BackendRef.ts"
import type { Expression } from "./Expression.ts"
import type { BackendPolicy, ConditionalPolicy, FrontendPolicy, TrafficPolicy } from "./Policy.ts"
import type { A2a } from "./policy/A2a.ts"
import type { Ai } from "./policy/Ai.ts"
import type { PromptGuard } from "./policy/PromptGuard.ts"
import type { LogFields } from "./policy/AccessLog.ts"
import type { BackendAuth } from "./policy/BackendAuth.ts"
import type { Cedar } from "./policy/Cedar.ts"
import type { CredentialLocation } from "./policy/CredentialLocation.ts"
import type { DirectResponse } from "./policy/DirectResponse.ts"
import type { ExtAuthz } from "./policy/ExtAuthz.ts"
import type { NetworkExtAuthz } from "./policy/NetworkExtAuthz.ts"
import type { Rule } from "./policy/RuleSet.ts"
import type { Transformation, Transformations } from "./policy/Transformations.ts"
import type { Path } from "./references.ts"
import type { Context } from "./cel/variables.ts"
import type { Use } from "./cel/uses.ts"

export interface Found {
  readonly path: Path
  readonly expression: Expression
  readonly context: Context
  readonly use: Use
}

type Emit = (expression: Expression | undefined, use: Use, context: Context, ...path: Path) => void

/** What a header named so takes. */
export const headerUse = (name: string): Use => (name === ":status" ? "status" : "header")

const rules = (set: ReadonlyArray<Rule>, use: Use, context: Context, emit: Emit): void =>
  set.forEach(({ expression }, i) => emit(expression, use, context, "rules", i, "expression"))

/** The expressions that tell a request to Cedar. */
export const inCedar = (policies: ReadonlyArray<Cedar>): ReadonlyArray<Expression> =>
  policies.flatMap(({ action, context, principal, resource }) => [
    ...(action === undefined ? [] : [action]),
    ...context.map(({ expression }) => expression),
    ...[principal, resource].flatMap((entity) =>
      entity === undefined
        ? []
        : [
            entity.id,
            ...(entity.parents === undefined ? [] : [entity.parents]),
            ...entity.attributes.map(({ expression }) => expression),
          ],
    ),
  ])

const cedar = (policy: Cedar | undefined, context: Context, emit: Emit): void => {
  if (policy === undefined) return
  inCedar([policy]).forEach((expression, i) => emit(expression, "cedar", context, "cedar", i))
}

const transformation = (side: string, one: Transformation | undefined, context: Context, emit: Emit): void => {
  if (one === undefined) return
  one.metadata.forEach(({ expression }, i) => emit(expression, "metadata", context, side, "metadata", i))
  emit(one.replace, "headers", context, side, "replace")
  for (const list of ["add", "set"] as const) {
    one[list].forEach(({ expression, name }, i) => emit(expression, headerUse(name), context, side, list, i))
  }
  emit(one.body, "body", context, side, "body")
}

const transformations = ({ request, response }: Transformations, context: Context, emit: Emit): void => {
  transformation("request", request, context, emit)
  transformation("response", response, "response", emit)
}

const location = (one: CredentialLocation, context: Context, emit: Emit): void => {
  if (one._tag === "Computed") emit(one.expression, "credential", context, "location")
}

const directResponse = ({ body, headers }: DirectResponse, context: Context, emit: Emit): void => {
  if (body?._tag === "Computed") emit(body.expression, "directResponse", context, "body")
  headers.forEach(({ expression, name }, i) => emit(expression, headerUse(name), context, "headers", i))
}

const extAuthz = ({ cache, protocol }: ExtAuthz | NetworkExtAuthz, context: Context, emit: Emit): void => {
  cache?.key.forEach((expression, i) => emit(expression, "key", context, "cache", "key", i))
  if (cache?.lifetime._tag === "Computed") emit(cache.lifetime.expression, "extAuthz", context, "cache", "lifetime")
  if (protocol._tag === "Grpc") {
    protocol.metadata?.forEach(({ expression }, i) => emit(expression, "extAuthz", context, "protocol", "metadata", i))
    return
  }
  for (const field of ["path", "redirect", "body"] as const) {
    emit(protocol[field], "extAuthz", context, "protocol", field)
  }
  protocol.addRequestHeaders.forEach(({ expression }, i) => emit(expression, "header", context, "protocol", "add", i))
  // These are computed from what the service answered.
  protocol.metadata.forEach(({ expression }, i) => emit(expression, "metadata", "response", "protocol", "metadata", i))
}

const conditional = (policy: ConditionalPolicy, context: Context, emit: Emit): void => {
  switch (policy._tag) {
    case "JwtAuth":
    case "BasicAuth":
    case "ApiKey":
      return location(policy.location, context, emit)
    case "Transformations":
      return transformations(policy, context, emit)
    case "DirectResponse":
      return directResponse(policy, context, emit)
    case "Delay":
      if (policy.duration._tag === "Computed") emit(policy.duration.expression, "delay", context, "duration")
      return
    case "ExtAuthz":
      return extAuthz(policy, context, emit)
    case "ExtProc":
      for (const [namespace, fields] of Object.entries(policy.metadataContext)) {
        fields.forEach(({ expression }, i) => emit(expression, "extProc", context, "metadataContext", namespace, i))
      }
      policy.requestAttributes.forEach(({ expression }, i) =>
        emit(expression, "extProc", context, "requestAttributes", i),
      )
      policy.responseAttributes.forEach(({ expression }, i) =>
        emit(expression, "extProc", "response", "responseAttributes", i),
      )
      return
    case "LocalRateLimit":
      for (const [i, { key, type }] of policy.limits.entries()) {
        emit(key, "key", type === "tokens" ? "backend" : context, "limits", i, "key")
      }
      return
    case "RemoteRateLimit":
      for (const [i, { cost, entries, limitOverride, type }] of policy.descriptors.entries()) {
        entries.forEach(({ expression }, j) => emit(expression, "descriptor", context, "descriptors", i, "entries", j))
        emit(cost, "cost", type === "tokens" ? "tokenCost" : context, "descriptors", i, "cost")
        emit(limitOverride, "limit", context, "descriptors", i, "limitOverride")
      }
      return
    default:
  }
}

const guards = (guard: PromptGuard | undefined, name: string, emit: Emit): void => {
  for (const side of ["request", "response"] as const)
    for (const [i, { kind }] of (guard?.[side] ?? []).entries()) {
      if (kind._tag !== "Webhook") continue
      kind.headers.forEach(({ expression }, j) =>
        emit(expression, "header", "llm", name, side, i, "kind", "headers", j),
      )
    }
}

const a2a = ({ budgets, foreignTasks, guard, limit }: A2a, emit: Emit): void => {
  emit(foreignTasks, "condition", "backend", "foreignTasks")
  guards(guard, "guard", emit)
  limit?.limits.forEach(({ key }, i) => emit(key, "key", "backend", "limit", "limits", i, "key"))
  budgets?.forEach(({ key }, i) => emit(key, "key", "backend", "budgets", i, "key"))
}

const ai = (policy: Ai, emit: Emit): void => {
  guards(policy.promptGuard, "promptGuard", emit)
  policy.budgets?.forEach(({ key }, i) => emit(key, "key", "route", "budgets", i, "key"))
  emit(policy.responseCache?.key, "key", "route", "responseCache", "key")
  for (const field of ["transformations", "finalTransformations"] as const) {
    for (const [name, expression] of Object.entries(policy[field] ?? {}))
      emit(expression, "llmField", "llm", field, name)
  }
}

const traffic = (policy: TrafficPolicy, context: Context, emit: Emit): void => {
  switch (policy._tag) {
    case "Conditional":
      for (const [i, { condition, policy: one }] of policy.entries.entries()) {
        emit(condition, "condition", context, "entries", i, "condition")
        conditional(one, context, (expression, use, within, ...path) =>
          emit(expression, use, within, "entries", i, "policy", ...path),
        )
      }
      return
    case "Authorization":
      cedar(policy.cedar, context, emit)
      return rules(policy.rules, "authorization", context, emit)
    case "McpAuthentication":
      policy.stepUp.forEach(({ condition }, i) => emit(condition, "condition", context, "stepUp", i, "condition"))
      return location(policy.location, context, emit)
    case "Retry":
      emit(policy.precondition, "retry", context, "precondition")
      emit(policy.condition, "retry", "attempt", "condition")
      return
    case "ConcurrencyLimit":
      return policy.limits.forEach(({ condition, key }, i) => {
        emit(condition, "condition", context, "limits", i, "condition")
        emit(key, "key", context, "limits", i, "key")
      })
    case "Oidc":
    case "BodyLimit":
    case "IpAccessControl":
    case "Timeout":
    case "RequestMirror":
      return
    case "Ai":
      return ai(policy, emit)
    default:
      return conditional(policy, context, emit)
  }
}

const backendAuth = ({ auth }: BackendAuth, emit: Emit): void => {
  switch (auth?._tag) {
    case "Aws": {
      const { sessionName, tags = [] } = auth.assumeRole ?? {}
      const texts = [sessionName, ...tags.map(({ value }) => value)]
      texts.forEach((text, i) => {
        if (text?._tag === "Computed") emit(text.expression, "awsTag", "backend", "auth", "assumeRole", i)
      })
      return
    }
    case "OauthTokenExchange":
      location(auth.subjectToken.source, "backend", emit)
      if (auth.actorToken !== undefined) location(auth.actorToken.source, "backend", emit)
      auth.additionalParams.forEach(({ expression }, i) =>
        emit(expression, "parameter", "backend", "auth", "additionalParams", i),
      )
      return
    case "CrossAppAccess":
      return location(auth.subjectToken.source, "backend", emit)
    default:
  }
}

const backend = (policy: BackendPolicy, emit: Emit): void => {
  switch (policy._tag) {
    case "Authorization":
      cedar(policy.cedar, "backend", emit)
      return rules(policy.rules, "authorization", "backend", emit)
    case "McpAuthorization":
      cedar(policy.cedar, "mcpAuthorization", emit)
      return rules(policy.rules, "authorization", "mcpAuthorization", emit)
    case "McpGuardrails":
      for (const [i, one] of policy.processors.entries()) {
        if (one._tag === "Remote") {
          one.metadata.forEach(({ expression }, j) =>
            emit(expression, "metadata", "backend", "processors", i, "metadata", j),
          )
        } else {
          emit(one.when, "mcpGuardrail", "mcpGuardrail", "processors", i, "when")
          emit(one.transform, "mcpTransform", "mcpGuardrail", "processors", i, "transform")
        }
      }
      return
    case "Transformations":
      return transformations(policy, "backend", emit)
    case "ExtAuthz":
      return extAuthz(policy, "backend", emit)
    case "Health":
      return emit(policy.unhealthyExpression, "health", "attempt", "unhealthyExpression")
    case "SessionAffinity":
      return emit(policy.source, "sessionAffinity", "backend", "source")
    case "A2a":
      return a2a(policy, emit)
    case "Ai":
      return ai(policy, emit)
    case "BackendAuth":
      return backendAuth(policy, emit)
    default:
  }
}

const logFields = (side: Path, fields: LogFields | undefined, emit: Emit): void =>
  fields?.add.forEach(({ expression }, i) => emit(expression, "logField", "log", ...side, "add", i))

const frontend = (policy: FrontendPolicy, emit: Emit): void => {
  switch (policy._tag) {
    case "NetworkAuthorization":
      cedar(policy.cedar, "networkAuthorization", emit)
      return rules(policy.rules, "networkAuthorization", "networkAuthorization", emit)
    case "NetworkExtAuthz":
      return extAuthz(policy, "networkExtAuthz", emit)
    case "AccessLog":
      emit(policy.filter, "logFilter", "log", "filter")
      logFields(["fields"], policy.fields, emit)
      emit(policy.otlp?.filter, "logFilter", "log", "otlp", "filter")
      logFields(["otlp", "fields"], policy.otlp?.fields, emit)
      policy.database?.add.forEach(({ expression }, i) => emit(expression, "logField", "log", "database", "add", i))
      return
    case "Tracing":
      policy.attributes.forEach(({ expression }, i) => emit(expression, "logField", "log", "attributes", i))
      emit(policy.filter, "logFilter", "log", "filter")
      for (const field of ["randomSampling", "clientSampling"] as const) {
        const sampling = policy[field]
        if (sampling?._tag === "Computed") emit(sampling.expression, "sampling", "gateway", field)
      }
      return
    default:
  }
}

type Placed =
  | { readonly _tag: "Traffic"; readonly phase: "gateway" | "route"; readonly policy: TrafficPolicy }
  | { readonly _tag: "Backend"; readonly policy: BackendPolicy }
  | { readonly _tag: "Frontend"; readonly policy: FrontendPolicy }

/** The expressions of one policy; paths begin at the policy. */
export const inPolicy = (placed: Placed): ReadonlyArray<Found> => {
  const found: Array<Found> = []
  const emit: Emit = (expression, use, context, ...path) => {
    if (expression !== undefined) found.push({ path, expression, context, use })
  }
  switch (placed._tag) {
    case "Traffic":
      traffic(placed.policy, placed.phase, emit)
      break
    case "Backend":
      backend(placed.policy, emit)
      break
    case "Frontend":
      frontend(placed.policy, emit)
  }
  return found
}

/** Expressions of an MCP backend itself: when a bundle is seen, and what arguments are locked to. */
export const inMcp = (backend: Backend): ReadonlyArray<Found> => {
  if (backend._tag !== "Mcp") return []
  const found: Array<Found> = []
  for (const [i, { condition }] of backend.bundles.entries()) {
    if (condition === undefined) continue
    found.push({ path: ["bundles", i, "condition"], expression: condition, context: "backend", use: "condition" })
  }
  for (const list of ["targets", "selectors"] as const) {
    for (const [i, { tools }] of backend[list].entries()) {
      for (const [j, shape] of tools.shapes.entries()) {
        for (const [k, one] of shape.arguments.entries()) {
          if (one._tag !== "Computed") continue
          const path = [list, i, "tools", "shapes", j, "arguments", k, "expression"]
          found.push({ path, expression: one.expression, context: "backend", use: "mcpArgument" })
        }
      }
    }
  }
  return found
}

/** What providers are told of each request. */
export const inProvider = ({ vendor }: LlmProvider): ReadonlyArray<Found> =>
  vendor._tag === "Bedrock"
    ? (vendor.requestMetadata ?? []).flatMap(({ value }, i): ReadonlyArray<Found> =>
        value._tag === "Fixed"
          ? []
          : [
              {
                path: ["vendor", "requestMetadata", i],
                expression: value.expression,
                context: "backend",
                use: "awsTag",
              },
            ],
      )
    : []

/** What chooses among models, and who may use them. */
export const inModels = (backend: Extract<Backend, { readonly _tag: "Models" }>): ReadonlyArray<Found> => {
  const found: Array<Found> = []
  for (const [i, { authorization }] of backend.models.entries()) {
    for (const [j, { expression }] of (authorization?.rules ?? []).entries()) {
      const path = ["models", i, "authorization", "rules", j, "expression"]
      found.push({ path, expression, context: "llm", use: "authorization" })
    }
    const told = authorization?.cedar === undefined ? [] : inCedar([authorization.cedar])
    for (const [j, expression] of told.entries()) {
      found.push({ path: ["models", i, "authorization", "cedar", j], expression, context: "llm", use: "cedar" })
    }
  }
  for (const [i, { routing }] of backend.virtualModels.entries()) {
    if (routing._tag !== "Conditional") continue
    for (const [j, { when }] of routing.targets.entries()) {
      if (when === undefined) continue
      const path = ["virtualModels", i, "routing", "targets", j, "when"]
      found.push({ path, expression: when, context: "llm", use: "condition" })
    }
  }
  return found
}

/** The target of a backend that is dialled by expression. */
export const inTarget = (target: Backend | BackendRef, context: Context): Found | undefined =>
  target._tag === "Dynamic" && target.target !== undefined
    ? { path: ["target"], expression: target.target, context, use: "target" }
    : undefined
