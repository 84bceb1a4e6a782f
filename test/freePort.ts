import * as net from "node:net"

/** From here up to the ports that the system hands out by itself: no client of another test gets one in between. */
const [first, last] = [10_240, 32_000]

/** Tests run beside each other, and each looks from another place on. */
let next = first + Math.floor(Math.random() * (last - first))

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once("error", () => resolve(false))
    server.listen({ port, host: "::" }, () => server.close(() => resolve(true)))
  })

/** A port that nobody listens on, for what must be told one before it is there. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    next = next >= last ? first : next + 1
    if (await isFree(next)) return next
  }
}
