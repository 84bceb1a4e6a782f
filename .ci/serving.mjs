/** A gateway that is started only to see it serve, on a port that was free a moment ago. */
import { request } from "node:http"
import { createServer } from "node:net"

const LOOK_EVERY_MILLIS = 20

export const freePort = () =>
  new Promise((found, failed) => {
    const server = createServer().once("error", failed)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => found(port))
    })
  })

const answers = (port) =>
  new Promise((told) => {
    request({ port, host: "127.0.0.1" }, (response) => {
      response.resume()
      response.once("end", () => told(true))
    })
      .once("error", () => told(false))
      .end()
  })

/** Ends the gateway once it has answered; what it ended with, which is no number where it had to be killed or never was. */
export const endOnceItServes = async (gateway, port, giveUpMillis) => {
  const ended = new Promise((told) => gateway.once("exit", told).once("error", told))
  const giveUpAt = Date.now() + giveUpMillis
  while (gateway.exitCode === null && Date.now() < giveUpAt && !(await answers(port))) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MILLIS))
  }
  gateway.kill(Date.now() < giveUpAt ? "SIGTERM" : "SIGKILL")
  return ended
}
