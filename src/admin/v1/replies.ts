/** What the admin API answers: its description is made from these, and a test holds every answer to them. */
import * as Schema from "effect/Schema"
import { kinds } from "../../../protocols/lock/hash.ts"

const opt = <S extends Schema.Top>(schema: S) => Schema.optionalKey(schema)
const Texts = Schema.Array(Schema.String)

// How it runs.
const ConfigState = Schema.Struct({
  synchronized: Schema.Boolean,
  version: Schema.Finite,
  takenMillis: opt(Schema.Finite),
  problems: Texts,
})
const Thread = Schema.Struct({
  thread: Schema.Finite,
  connections: Schema.Finite,
  exchanges: Schema.Finite,
  endpoints: Schema.Finite,
  draining: Schema.Boolean,
  heapUsedBytes: Schema.Finite,
  waiting: Schema.Struct({ logLines: Schema.Finite, requestLog: Schema.Finite }),
}).annotate({ identifier: "Thread" })
export const Status = Schema.Struct({
  version: Schema.String,
  node: Schema.String,
  startedAt: Schema.String,
  config: ConfigState,
  pending: Texts,
  level: Schema.String,
  threads: Schema.Array(Thread),
})
const Target = Schema.Struct({
  target: Schema.String,
  kind: Schema.Literals(["endpoint", "service", "mcp", "llm"]),
  service: opt(Schema.String),
  isTls: opt(Schema.Boolean),
  health: opt(Schema.Finite),
  latencyMillis: opt(Schema.Finite),
  pending: opt(Schema.Finite),
  failures: opt(Schema.Finite),
  evictedMillis: opt(Schema.Finite),
  isDown: opt(Schema.Boolean),
}).annotate({ identifier: "Target" })
export const Targets = Schema.Struct({ threads: Schema.Array(Schema.Array(Target)) })
const Probe = Schema.Struct({
  target: Schema.String,
  kind: Schema.Literals(["endpoint", "mcp", "llm", "a2a"]),
  isTls: opt(Schema.Boolean),
  millis: Schema.Finite,
  says: opt(Schema.String),
  error: opt(Schema.String),
}).annotate({ identifier: "Probe" })
export const Probes = Schema.Struct({ threads: Schema.Array(Schema.Array(Probe)) })
export const Reconnected = Schema.Struct({ reconnected: Schema.Finite })
const Connection = Schema.Struct({
  peer: Schema.String,
  bind: Schema.String,
  listener: opt(Schema.String),
  isTls: Schema.Boolean,
  ageMillis: Schema.Finite,
}).annotate({ identifier: "Connection" })
export const Connections = Schema.Struct({ threads: Schema.Array(Schema.Array(Connection)) })
export const Fibers = Schema.Struct({
  threads: Schema.Array(
    Schema.Struct({
      fibers: Schema.Finite,
      /** A tree of no known depth. */
      roots: Schema.Array(
        Schema.Struct({
          id: Schema.Finite,
          what: opt(Schema.String),
          isRunning: Schema.Boolean,
          operations: Schema.Finite,
          children: Schema.Array(Schema.Json),
        }),
      ),
      resources: Schema.Record(Schema.String, Schema.Finite),
    }),
  ),
})
export const Level = Schema.Struct({ level: Schema.String })
export const Draining = Schema.Struct({ draining: Schema.Boolean })
export const Profile = Schema.Record(Schema.String, Schema.Json).annotate({
  description: "As the developer tools of a browser read it",
})

// Stories.
export const Story = Schema.Struct({
  id: Schema.String,
  at: Schema.String,
  why: Schema.String,
  status: Schema.Finite,
  reason: Schema.String,
  durationMillis: Schema.Finite,
  recorded: Schema.Boolean,
  fields: Schema.Record(Schema.String, Schema.Json),
  steps: Schema.Array(
    Schema.Struct({
      atMillis: opt(Schema.Finite),
      stage: Schema.String,
      decision: Schema.String,
      detail: opt(Schema.Json),
    }),
  ),
  calls: opt(
    Schema.Array(
      Schema.Struct({
        name: Schema.String,
        atMillis: Schema.Finite,
        millis: Schema.Finite,
        error: opt(Schema.String),
      }),
    ),
  ),
}).annotate({ identifier: "Story" })
export const Stories = Schema.Struct({
  stories: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      at: Schema.String,
      status: Schema.Finite,
      reason: Schema.String,
      why: Schema.String,
    }),
  ),
})
export const Wanted = Schema.Struct({ wanted: Schema.Finite })

// Sessions and caches.
const Session = Schema.Struct({
  id: Schema.String,
  thread: Schema.Finite,
  backend: Schema.String,
  revision: Schema.String,
  client: opt(Schema.Json),
  principal: Schema.String,
  idleMillis: Schema.Finite,
  running: Schema.Finite,
  streams: Schema.Finite,
  subscriptions: Schema.Finite,
}).annotate({ identifier: "McpSession" })
export const Sessions = Schema.Struct({ sessions: Schema.Array(Session) })
export const Ended = Schema.Struct({ ended: Schema.Boolean })
export const Caches = Schema.Struct({
  caches: Schema.Array(
    Schema.Struct({ name: Schema.String, entries: Schema.Finite }).annotate({ identifier: "Cache" }),
  ),
})
export const Cleared = Schema.Struct({ cleared: Schema.Boolean })

// Configuration.
const Issue = Schema.Struct({
  severity: Schema.Literals(["error", "warning"]),
  line: opt(Schema.Finite),
  column: opt(Schema.Finite),
  path: opt(Schema.String),
  message: Schema.String,
  remedy: opt(Schema.String),
}).annotate({ identifier: "ConfigurationIssue" })
const Changed = Schema.Struct({ added: Texts, changed: Texts, removed: Texts }).annotate({ identifier: "Changed" })
const judged = { valid: Schema.Boolean, issues: Schema.Array(Issue) }
export const Validated = Schema.Struct(judged)
const planned = {
  ...judged,
  changes: opt(Schema.Record(Schema.String, Changed)),
  isEmpty: opt(Schema.Boolean),
  needsRestart: opt(Schema.Boolean),
}
export const Planned = Schema.Struct(planned)
export const Applied = Schema.Struct({ ...planned, applied: Schema.Boolean, version: opt(Schema.Finite) })
export const NotApplied = Schema.Struct({ ...planned, applied: opt(Schema.Boolean), problems: opt(Texts) })

// Models.
export const Keys = Schema.Struct({
  keys: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      name: Schema.String,
      key: Schema.String,
      metadata: opt(Schema.Json),
      models: opt(Texts),
      tools: opt(Texts),
      budgets: opt(Schema.Array(Schema.Record(Schema.String, Schema.Json))),
      expiresMillis: opt(Schema.Finite),
      createdMillis: Schema.Finite,
      revokedMillis: opt(Schema.Finite),
    }).annotate({ identifier: "Key" }),
  ),
})
export const IssuedKey = Schema.Struct({ id: Schema.String, key: Schema.String }).annotate({ identifier: "IssuedKey" })
export const Revoked = Schema.Struct({ revoked: Schema.Boolean })
export const Budgets = Schema.Struct({
  budgets: Schema.Array(
    Schema.Struct({
      budget: Schema.String,
      subject: Schema.String,
      windowStart: Schema.String,
      amount: Schema.Finite,
    }).annotate({ identifier: "Spent" }),
  ),
})

// The tool lock.
const item = { server: Schema.String, kind: Schema.Literals(kinds), name: Schema.String, hash: Schema.String }
export const ToolLock = Schema.Struct({
  findings: Schema.Array(
    Schema.Struct({
      ...item,
      file: Schema.String,
      text: Schema.String,
      grade: Schema.String,
      action: Schema.Literals(["passed", "hidden"]),
      reasons: Texts,
      /** What was approved, and what is said in its place. */
      difference: Schema.String,
      firstMillis: Schema.Finite,
      lastMillis: Schema.Finite,
    }).annotate({ identifier: "ToolLockFinding" }),
  ),
  audit: Schema.Array(Schema.Record(Schema.String, Schema.Json)),
})
export const Decided = Schema.Struct({ revision: Schema.String })

// The request log.
const Entry = Schema.Struct({
  id: Schema.String,
  startedAt: Schema.String,
  completedAt: Schema.String,
  durationMs: Schema.Finite,
  protocol: Schema.String,
  traceId: opt(Schema.String),
  spanId: opt(Schema.String),
  sluiceId: opt(Schema.String),
  httpStatus: opt(Schema.Finite),
  reason: Schema.String,
  error: opt(Schema.String),
  genAi: Schema.Struct({
    operationName: opt(Schema.String),
    providerName: opt(Schema.String),
    requestModel: opt(Schema.String),
    responseModel: opt(Schema.String),
  }),
  usage: Schema.Struct({
    inputTokens: opt(Schema.Finite),
    outputTokens: opt(Schema.Finite),
    totalTokens: opt(Schema.Finite),
  }),
  cost: opt(Schema.Finite),
  hasPayload: Schema.Boolean,
  attributes: opt(Schema.Json),
  payload: opt(Schema.Struct({ requestPrompt: opt(Schema.Json), responseCompletion: opt(Schema.Json) })),
  story: opt(Schema.Json),
}).annotate({ identifier: "LogEntry" })
export const Logs = Schema.Struct({ logs: Schema.Array(Entry), nextCursor: opt(Schema.String) })
export const OneLog = Schema.Struct({ log: Entry })
const sums = {
  group: Schema.Array(Schema.NullOr(Schema.String)),
  requests: Schema.Finite,
  totalTokens: Schema.Finite,
  cost: Schema.Finite,
}
const Options = Schema.Array(Schema.Json)
export const LogSummary = Schema.Struct({
  timeRange: Schema.Struct({ from: Schema.String, to: Schema.String }),
  bucketSeconds: Schema.Finite,
  buckets: Schema.Array(Schema.Struct({ start: Schema.String, ...sums })),
  groups: Schema.Array(Schema.Struct(sums)),
  filterOptions: Schema.Struct({
    httpStatus: Options,
    provider: Options,
    requestModel: Options,
    responseModel: Options,
    protocol: Options,
    user: Options,
    group: Options,
    userAgent: Options,
  }),
})

export const AnyJson = Schema.Json
export const AnyText = Schema.String
