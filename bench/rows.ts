/** The table, in its order. A new capability adds its rows here. */
import type { Row } from "./Row.ts"
import * as expressions from "./rows/expressions.ts"
import * as mcp from "./rows/mcp.ts"
import * as memory from "./rows/memory.ts"
import * as models from "./rows/models.ts"
import * as proxied from "./rows/proxied.ts"
import * as routes from "./rows/routes.ts"
import * as start from "./rows/start.ts"

export const rows: ReadonlyArray<Row> = [
  proxied.get,
  proxied.logged,
  proxied.sampled,
  proxied.traced,
  proxied.keyed,
  proxied.signed,
  expressions.rule,
  routes.thousandRoutes,
  routes.tenThousandRoutes,
  proxied.bodies,
  proxied.events,
  models.chat,
  models.translatedChat,
  models.chatEvents,
  mcp.sameEra,
  mcp.inSession,
  mcp.otherEra,
  mcp.federated,
  mcp.lists,
  mcp.sessions,
  routes.change,
  routes.reload,
  start.startCold,
  start.startWarm,
  start.startChanged,
  start.startBundled,
  memory.idle,
  memory.idleChanged,
  memory.idleBundled,
  memory.streams,
]
