/** What expressions see of a request and of its reply. */
import { type CelValue, isError } from "../../../ir/cel/CelValue.ts"
import { timestampFromMillis } from "../../../ir/cel/time.ts"
import { HeaderView, QueryText } from "../../../ir/cel/views.ts"
import type { Reply, Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Facts } from "./Facts.ts"
import { FieldView } from "./FieldView.ts"

const timeOf = (clock: Clock, monotonicMillis: number): CelValue | undefined => {
  const made = timestampFromMillis(Math.round(clock.wallMillis() - (clock.nowMillis() - monotonicMillis)))
  return isError(made) ? undefined : made
}

const versions = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const

const requestFields = [
  "method",
  "uri",
  "host",
  "scheme",
  "path",
  "pathAndQuery",
  "version",
  "headers",
  "body",
  "bodyPrefix",
  "startTime",
  "endTime",
]

const noBytes = new Uint8Array(0)

type Bodied = Readonly<Pick<Request | Reply, "body" | "captured">>

const bodyOf = ({ body, captured }: Bodied): Uint8Array | undefined =>
  captured !== undefined
    ? captured.bytes
    : body._tag === "Bytes"
      ? body.bytes
      : body._tag === "Empty"
        ? noBytes
        : undefined

const prefixOf = ({ body, captured }: Bodied): Uint8Array | undefined =>
  captured?.prefix ?? (body._tag === "Bytes" ? body.bytes : body._tag === "Empty" ? noBytes : undefined)

/** What a client says to switch protocols stands beside the list. */
const switching = (flat: ReadonlyArray<string>, upgrade: string): ReadonlyArray<string> => [
  ...flat,
  "connection",
  "upgrade",
  "upgrade",
  upgrade,
]

export class RequestFacts extends FieldView {
  protected readonly names = requestFields
  private readonly request: Request
  private readonly facts: Facts
  private headers: HeaderView | undefined = undefined

  constructor(request: Request, facts: Facts) {
    super()
    this.request = request
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { request } = this
    switch (name) {
      case "method":
        return request.method
      case "path":
        return request.path
      case "headers":
        // A list of its own does not follow what is made of the headers, so it is not kept.
        return request.upgrade === undefined
          ? (this.headers ??= new HeaderView(request.headers.flat, this.facts.around.isSensitive))
          : new HeaderView(switching(request.headers.flat, request.upgrade), this.facts.around.isSensitive)
      case "host":
        return request.authority
      case "scheme":
        return request.scheme
      case "uri":
        return new QueryText(
          request.method === "CONNECT"
            ? request.authority
            : `${request.scheme}://${request.authority}${request.target}`,
        )
      case "pathAndQuery":
        return new QueryText(request.target)
      case "version":
        return versions[request.version]
      case "body":
        return bodyOf(request) ?? this.facts.recorded?.bytes
      case "bodyPrefix":
        return prefixOf(request) ?? this.facts.recorded?.prefix
      case "startTime": {
        const { around, exchange } = this.facts
        return exchange === undefined ? undefined : timeOf(around.clock, exchange.startedMillis)
      }
      case "endTime": {
        const { around, endedMillis } = this.facts
        return endedMillis === 0 ? undefined : timeOf(around.clock, endedMillis)
      }
      default:
        return undefined
    }
  }
}

export class ResponseFacts extends FieldView {
  protected readonly names = ["code", "grpcStatus", "headers", "body", "bodyPrefix"]
  private readonly reply: Reply
  private readonly facts: Facts
  private headers: HeaderView | undefined = undefined

  constructor(reply: Reply, facts: Facts) {
    super()
    this.reply = reply
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { reply } = this
    switch (name) {
      case "code":
        return reply.status
      case "headers":
        return (this.headers ??= new HeaderView(reply.headers.flat, this.facts.around.isSensitive))
      case "grpcStatus": {
        const text = reply.headers.get("grpc-status")?.trim()
        return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
      }
      case "body":
        return bodyOf(reply)
      case "bodyPrefix":
        return prefixOf(reply)
      default:
        return undefined
    }
  }
}
