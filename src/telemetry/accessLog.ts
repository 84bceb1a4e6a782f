/** The access log: one line for each exchange, whichever way it ended, and one for each raw connection. */
import type { Json } from "../../ir/cel/toJson.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { TlsFacts } from "../../stages/ports/Network.ts"
import type { Address } from "../../stages/Connection.ts"

/** Fields in the order in which they are written. */
const fieldNames = [
  "connection.id",
  "request.id",
  "gateway",
  "listener",
  "route_rule",
  "route",
  "endpoint",
  "src.addr",
  "src.identity",
  "http.method",
  "http.host",
  "http.path",
  "http.version",
  "http.status",
  "grpc.status",
  "tls.sni",
  "trace.id",
  "span.id",
  "jwt.sub",
  "protocol",
  "retry.attempt",
  "error",
  "reason",
  "duration",
] as const
export type FieldName = (typeof fieldNames)[number]

const bit = (name: FieldName): number => 1 << fieldNames.indexOf(name)

/** Every field is written. */
export const everyField = 2 ** fieldNames.length - 1

/** Which fields are written when some are not to be; names of others mean nothing here. */
export const fieldsWithout = (removed: Iterable<string>): number => {
  let fields = everyField
  for (const name of removed) {
    const at = (fieldNames as ReadonlyArray<string>).indexOf(name)
    if (at >= 0) fields &= ~(1 << at)
  }
  return fields
}

const at = {
  connection: bit("connection.id"),
  request: bit("request.id"),
  endpoint: bit("endpoint"),
  source: bit("src.addr"),
  identity: bit("src.identity"),
  method: bit("http.method"),
  host: bit("http.host"),
  path: bit("http.path"),
  version: bit("http.version"),
  status: bit("http.status"),
  grpc: bit("grpc.status"),
  serverName: bit("tls.sni"),
  trace: bit("trace.id"),
  span: bit("span.id"),
  subject: bit("jwt.sub"),
  protocol: bit("protocol"),
  retry: bit("retry.attempt"),
  error: bit("error"),
  reason: bit("reason"),
  duration: bit("duration"),
} as const

/** Where something happened, as users named it. */
export interface Place {
  readonly gateway: string | undefined
  readonly listener: string | undefined
  readonly rule: string | undefined
  readonly route: string | undefined
}

/** What is told of an exchange; absent is what there is none of. */
export interface Line {
  connection: number
  request: number
  endpoint: string | undefined
  peer: Address
  tls: TlsFacts | undefined
  method: string | undefined
  host: string | undefined
  path: string | undefined
  query: string | undefined
  version: "1.0" | "1.1" | "2" | undefined
  /** 0 when nothing was answered. */
  status: number
  grpcStatus: string | undefined
  /** Where it is traced. */
  traceId: string | undefined
  spanId: string | undefined
  /** Whom a verified token is about. */
  subject: string | undefined
  protocol: string
  attempts: number
  error: string | undefined
  reason: string | undefined
  durationMillis: number
}

/** What would end a value, a line, or a terminal's patience. */
const unsafe = /[\s"\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/

const controls = /[\u007f-\u009f\u2028\u2029]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** A JSON string that no terminal acts upon. */
export const quoted = (value: string): string =>
  unsafe.test(value) || value.includes("\\") ? JSON.stringify(value).replace(controls, escaped) : `"${value}"`

/** As it is where it can be read back, quoted where it could not. */
export const plain = (value: string): string =>
  value === "" || unsafe.test(value) ? JSON.stringify(value).replace(controls, escaped) : value

/** JSON that no terminal acts upon. */
const printed = (value: Json): string => {
  if (typeof value === "string") return quoted(value)
  if (typeof value === "number" && Number.isFinite(value)) return String(value)
  return JSON.stringify(value).replace(controls, escaped)
}

/** How a line is written. */
export interface Format {
  readonly name: "text" | "json"
  /** Before the fields of a line with this time. */
  readonly begin: (time: string, level: string, target: string) => string
  readonly key: (name: string) => string
  readonly value: (value: string) => string
  /** Of a value of any kind. */
  readonly computed: (value: Json) => string
  /** Around a value that needs no looking at. */
  readonly quote: string
  readonly end: string
}

const text: Format = {
  name: "text",
  begin: (time, level, target) => `${time}\t${level}\t${target}`,
  key: (name) => ` ${name}=`,
  value: plain,
  computed: (value) => plain(typeof value === "string" ? value : printed(value)),
  quote: "",
  end: "\n",
}

const json: Format = {
  name: "json",
  begin: (time, level, target) => `{"level":"${level}","time":"${time}","scope":${quoted(target)}`,
  key: (name) => `,${quoted(name)}:`,
  value: quoted,
  computed: printed,
  quote: '"',
  end: "}\n",
}

export const formats: { readonly [K in "text" | "json"]: Format } = { text, json }

/** Parameters by which credentials travel in a query; their values are not written. */
const credentials =
  /(^|&)((?:access|id|refresh|auth|session|security)_?token|token|jwt|api[-_]?key|key|client_secret|secret|password|passwd|code|sig|signature|x-amz-(?:signature|security-token|credential)|x-goog-(?:signature|credential))=[^&]*/gi

const credentialHint = /token|key|secret|passw|code|sig|jwt|credential/i

/** A query without what must not be read by whoever reads logs. */
export const withoutCredentials = (query: string): string =>
  credentialHint.test(query) ? query.replace(credentials, "$1$2=<redacted>") : query

const versions = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0" } as const

export const addressText = ({ host, port }: Address): string =>
  port === 0 ? host : host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** The SPIFFE identity of a client certificate. */
const identityOf = (tls: TlsFacts | undefined): string | undefined =>
  tls?.client?.subjectAltNames.find((name) => name.startsWith("spiffe://"))

/** The path as it may be shown. */
const shownPath = (path: string, query: string | undefined): string =>
  query === undefined ? path : `${path}?${withoutCredentials(query)}`

/** The fields of a line as values, in the same order. */
export const fieldsOfLine = (place: Place, told: Line): Array<Field> => {
  const { attempts, host, path, tls, version } = told
  const all: Array<Field> = []
  const add = (name: FieldName, value: Json | undefined): void => {
    if (value !== undefined) all.push([name, value])
  }
  add("gateway", place.gateway)
  add("listener", place.listener)
  add("route_rule", place.rule)
  add("route", place.route)
  add("endpoint", told.endpoint)
  add("src.addr", addressText(told.peer))
  if (tls !== undefined) add("src.identity", identityOf(tls))
  add("http.method", told.method)
  add("http.host", host)
  if (path !== undefined) add("http.path", shownPath(path, told.query))
  if (version !== undefined) add("http.version", versions[version])
  if (told.status !== 0) add("http.status", told.status)
  add("grpc.status", told.grpcStatus)
  if (host === undefined && tls !== undefined && tls.serverName !== "") add("tls.sni", tls.serverName)
  add("trace.id", told.traceId)
  add("span.id", told.spanId)
  add("jwt.sub", told.subject)
  add("protocol", told.protocol)
  if (attempts > 1) add("retry.attempt", attempts - 1)
  add("error", told.error)
  add("reason", told.reason)
  add("duration", `${Math.max(0, Math.trunc(told.durationMillis))}ms`)
  return all
}

/** Computed fields whose names are kept as they are written. */
const NAMES_MAX = 1_024

/** A field whose value is mostly the one it was last: that one is not looked at again, nor put together. */
class Repeated {
  private readonly key: string
  private readonly format: Format
  private value: string | undefined = undefined
  private written = ""

  constructor(key: string, format: Format) {
    this.key = key
    this.format = format
  }

  of(value: string): string {
    if (value !== this.value) {
      this.value = value
      this.written = this.key + this.format.value(value)
    }
    return this.written
  }
}

/** What is longer is written once rather than kept. */
const REPEATED_CHARS_MAX = 256

/** Writes lines in one format; everything that does not depend on the exchange is prepared here. */
export class LineWriter {
  private readonly format: Format
  private readonly names = new Map<string, string>()
  private readonly keys: { readonly [K in keyof typeof at]: string }
  private readonly protocols = new Map<string, string>()
  private readonly statuses: Array<string> = []
  private readonly versions: { readonly [K in keyof typeof versions]: string }
  private readonly endpoints: Repeated
  private readonly methods: Repeated
  private readonly hosts: Repeated
  private readonly paths: Repeated
  private readonly subjects: Repeated
  /** Before an address, before a duration, and after one. */
  private readonly source: string
  private readonly duration: string
  private readonly millis: string

  constructor(format: Format) {
    this.format = format
    const names = Object.entries(at).map(([key, mask]) => {
      const name = fieldNames[Math.log2(mask)] as FieldName
      return [key, format.key(name)] as const
    })
    this.keys = Object.fromEntries(names) as { readonly [K in keyof typeof at]: string }
    const repeated = (key: string): Repeated => new Repeated(key, format)
    this.endpoints = repeated(this.keys.endpoint)
    this.methods = repeated(this.keys.method)
    this.hosts = repeated(this.keys.host)
    this.paths = repeated(this.keys.path)
    this.subjects = repeated(this.keys.subject)
    const { quote } = format
    this.versions = {
      "1.0": this.keys.version + quote + versions["1.0"] + quote,
      "1.1": this.keys.version + quote + versions["1.1"] + quote,
      "2": this.keys.version + quote + versions["2"] + quote,
    }
    this.source = this.keys.source + quote
    this.duration = this.keys.duration + quote
    this.millis = `ms${quote}`
  }

  /** The part of a line that all exchanges of one place share. */
  place({ gateway, listener, route, rule }: Place, fields: number): string {
    const { format } = this
    let part = ""
    const add = (name: FieldName, value: string | undefined): void => {
      if (value !== undefined && (fields & bit(name)) !== 0) part += format.key(name) + format.value(value)
    }
    add("gateway", gateway)
    add("listener", listener)
    add("route_rule", rule)
    add("route", route)
    return part
  }

  /** Fields that were computed. */
  computed(fields: ReadonlyArray<Field>): string {
    const { format } = this
    let part = ""
    for (const [name, value] of fields) part += this.named(name) + format.computed(value)
    return part
  }

  /** Most lines have the same fields; names that clients make up are not remembered without end. */
  private named(name: string): string {
    let text = this.names.get(name)
    if (text === undefined) {
      text = this.format.key(name)
      if (this.names.size < NAMES_MAX) this.names.set(name, text)
    }
    return text
  }

  /** One whole line, end of line included; `more` is what follows the fields of the gateway's own. */
  line(time: string, place: string, fields: number, told: Line, more = ""): string {
    const { format, keys } = this
    const { endpoint, error, grpcStatus, host, method, path, reason, tls } = told
    const value = format.value
    let line = format.begin(time, "info", "request")
    if (told.connection !== 0) {
      if ((fields & at.connection) !== 0) line += keys.connection + told.connection
      if ((fields & at.request) !== 0 && told.request !== 0) line += keys.request + told.request
    }
    line += place
    if (endpoint !== undefined && (fields & at.endpoint) !== 0) line += this.endpoints.of(endpoint)
    if ((fields & at.source) !== 0) line += this.address(told.peer)
    if (tls?.client !== undefined && (fields & at.identity) !== 0) {
      const identity = identityOf(tls)
      if (identity !== undefined) line += keys.identity + value(identity)
    }
    if (method !== undefined && (fields & at.method) !== 0) line += this.methods.of(method)
    if (host !== undefined && (fields & at.host) !== 0) line += this.hosts.of(host)
    if (path !== undefined && (fields & at.path) !== 0) {
      line +=
        told.query === undefined && path.length <= REPEATED_CHARS_MAX
          ? this.paths.of(path)
          : keys.path + value(shownPath(path, told.query))
    }
    if (told.version !== undefined && (fields & at.version) !== 0) line += this.versions[told.version]
    if (told.status !== 0 && (fields & at.status) !== 0) line += this.status(told.status)
    if (grpcStatus !== undefined && (fields & at.grpc) !== 0) line += keys.grpc + value(grpcStatus)
    if (tls !== undefined && host === undefined && tls.serverName !== "" && (fields & at.serverName) !== 0) {
      line += keys.serverName + value(tls.serverName)
    }
    if (told.traceId !== undefined) {
      if ((fields & at.trace) !== 0) line += keys.trace + format.quote + told.traceId + format.quote
      if ((fields & at.span) !== 0) line += keys.span + format.quote + told.spanId + format.quote
    }
    if (told.subject !== undefined && (fields & at.subject) !== 0) {
      const { subject } = told
      line += subject.length <= REPEATED_CHARS_MAX ? this.subjects.of(subject) : keys.subject + value(subject)
    }
    if ((fields & at.protocol) !== 0) line += this.protocol(told.protocol)
    if (told.attempts > 1 && (fields & at.retry) !== 0) line += keys.retry + (told.attempts - 1)
    if (error !== undefined && (fields & at.error) !== 0) line += keys.error + quoted(error)
    if (reason !== undefined && (fields & at.reason) !== 0) line += keys.reason + value(reason)
    if ((fields & at.duration) !== 0) {
      line += this.duration + Math.max(0, Math.trunc(told.durationMillis)) + this.millis
    }
    return line + more + format.end
  }

  /** Only the path of a unix socket has to be looked at. */
  private address(address: Address): string {
    const { quote, value } = this.format
    return address.port === 0 ? this.keys.source + value(address.host) : this.source + addressText(address) + quote
  }

  private status(status: number): string {
    return (this.statuses[status] ??= this.keys.status + status)
  }

  private protocol(protocol: string): string {
    let part = this.protocols.get(protocol)
    if (part === undefined) {
      part = this.keys.protocol + this.format.value(protocol)
      this.protocols.set(protocol, part)
    }
    return part
  }
}
