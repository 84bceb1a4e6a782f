/** The thread that checks passwords. */
import { compareSync } from "bcryptjs"
import { parentPort } from "node:worker_threads"
import { isPassword } from "./htpasswd.ts"

export interface PasswordQuestion {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface PasswordAnswer {
  readonly id: number
  readonly isRight: boolean
}

const port = parentPort
if (port === null) throw new Error("this is a thread")

port.on("message", ({ hash, id, password }: PasswordQuestion) => {
  let isRight = false
  try {
    isRight = isPassword(password, hash, compareSync)
  } catch {
    // Whatever cannot be compared is not the password.
  }
  port.postMessage({ id, isRight } satisfies PasswordAnswer)
})
