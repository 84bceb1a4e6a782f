/** Every expression of a snapshot that cannot be used where it stands. */
import type { Issue } from "../../ir/cel/Expr.ts"
import type { Context } from "../../ir/cel/variables.ts"
import { type Found, inMcp, inModels, inPolicy, inProvider, inTarget } from "../../ir/expressions.ts"
import type { BackendPolicy } from "../../ir/Policy.ts"
import type { Path } from "../../ir/references.ts"
import type { WeightedBackend } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Expressions } from "../../stages/5-policy/expression/Expressions.ts"

export interface Wrong {
  readonly table: keyof Snapshot
  readonly key: string
  /** From the resource to the policy or target that holds it. */
  readonly holder: Path
  /** From the holder to the expression. */
  readonly path: Path
  readonly source: string
  readonly issue: Issue
}

/** What was found good stays good: resources that a change leaves alone are not looked at again. */
export class ExpressionChecker {
  private readonly expressions: Expressions
  private readonly good = new WeakSet<object>()

  constructor(expressions: Expressions) {
    this.expressions = expressions
  }

  check(snapshot: Snapshot): ReadonlyArray<Wrong> {
    const wrong: Array<Wrong> = []
    const each = <A extends object>(
      table: keyof Snapshot,
      resources: Iterable<readonly [string, A]>,
      visit: (one: A, report: (holder: Path, found: ReadonlyArray<Found>) => void) => void,
    ): void => {
      for (const [key, resource] of resources) {
        if (this.good.has(resource)) continue
        const before = wrong.length
        visit(resource, (holder, found) => {
          for (const one of found) {
            for (const issue of this.expressions.issues(one.expression, one.context, one.use)) {
              wrong.push({ table, key, holder, path: one.path, source: one.expression, issue })
            }
          }
        })
        if (wrong.length === before) this.good.add(resource)
      }
    }
    each("attachments", snapshot.attachments, ({ policy }, report) => report(["policy"], inPolicy(policy)))
    each("routes", snapshot.routes, ({ backends, policies }, report) => {
      for (const [i, policy] of policies.entries()) {
        report(["policies", i], inPolicy({ _tag: "Traffic", phase: "route", policy }))
      }
      inReferences(backends, "backend", report)
    })
    each("tcpRoutes", snapshot.tcpRoutes, ({ backends }, report) => inReferences(backends, "tcpTarget", report))
    each("backends", snapshot.backends, (backend, report) => {
      const target = inTarget(backend, "backend")
      if (target !== undefined) report([], [target])
      report([], inMcp(backend))
      inBackendPolicies(backend.policies, [], report)
      if (backend._tag === "Llm") {
        for (const [i, group] of backend.groups.entries()) {
          for (const [j, provider] of group.entries()) {
            report(["groups", i, j], inProvider(provider))
            inBackendPolicies(provider.policies, ["groups", i, j], report)
          }
        }
      } else if (backend._tag === "A2a") {
        for (const [i, { policies }] of backend.agents.entries()) {
          inBackendPolicies(policies, ["agents", i], report)
        }
      } else if (backend._tag === "Models") {
        report([], inModels(backend))
        for (const [i, { provider }] of backend.models.entries()) {
          inBackendPolicies(provider.policies, ["models", i, "provider"], report)
        }
      }
    })
    return wrong
  }
}

type Report = (holder: Path, found: ReadonlyArray<Found>) => void

const inBackendPolicies = (policies: ReadonlyArray<BackendPolicy>, path: Path, report: Report): void => {
  for (const [i, policy] of policies.entries()) {
    report([...path, "policies", i], inPolicy({ _tag: "Backend", policy }))
  }
}

const inReferences = (backends: ReadonlyArray<WeightedBackend>, context: Context, report: Report): void => {
  for (const [i, { backend, policies }] of backends.entries()) {
    const target = inTarget(backend, context)
    if (target !== undefined) report(["backends", i], [target])
    inBackendPolicies(policies, ["backends", i], report)
  }
}

/** In one line, for whoever has no file to point into. */
export const describe = ({ holder, issue, key, path, table }: Wrong): string =>
  `${table}.${[key, ...holder, ...path].join(".")}: ${issue.message} (line ${issue.line}, column ${issue.column} of the expression)${issue.remedy === undefined ? "" : `. ${issue.remedy}`}`
