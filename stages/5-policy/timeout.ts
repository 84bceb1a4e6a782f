/** Says until when the head of the reply must be there. Whoever waits looks at the deadline himself. */
import type { Timeout } from "../../ir/policy/Timeout.ts"
import type { Subject } from "../Exchange.ts"
import { pass, type Step } from "./Step.ts"

/** The deadline of a request that arrived then; 0 stands for no limit, as in the Gateway API. */
export const deadline = (startedMillis: number, requestMillis: number | undefined): number =>
  requestMillis === undefined || requestMillis <= 0 ? Infinity : startedMillis + requestMillis

export const compile = ({ requestMillis }: Timeout): Step<Subject> | undefined =>
  requestMillis === undefined || requestMillis <= 0
    ? undefined
    : {
        kind: "Timeout",
        run: ({ exchange }) => {
          exchange.deadlineMillis = deadline(exchange.startedMillis, requestMillis)
          return pass
        },
      }
