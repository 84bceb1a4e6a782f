/** The entry point of undici loads fetch, caches and WebSockets too, which cost more memory than all of our own code. */
declare module "undici/lib/dispatcher/client.js" {
  import type { Client } from "undici"
  const constructor: typeof Client
  export default constructor
}
