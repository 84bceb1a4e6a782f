/** As much of express as the agents in these tests use; the package brings no types. */
declare module "express" {
  import type { IncomingMessage, ServerResponse } from "node:http"
  export type RequestHandler = (
    request: IncomingMessage,
    response: ServerResponse,
    next: (error?: unknown) => void,
  ) => void
  interface Application {
    (request: IncomingMessage, response: ServerResponse): void
    use(path: string, handler: RequestHandler): Application
    use(handler: RequestHandler): Application
  }
  const express: () => Application
  export default express
}
