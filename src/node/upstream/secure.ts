/** TLS towards an upstream: what is trusted, what is shown, and whom the certificate must name. */
import * as net from "node:net"
import type * as tls from "node:tls"
import * as Redacted from "effect/Redacted"
import type { ClientTls } from "../../../ir/Tls.ts"
import * as onDemand from "../onDemand.ts"
import { Failed, tlsFailed } from "./failure.ts"

let roots: Array<string> | undefined

/** The system's roots and those of NODE_EXTRA_CA_CERTS; where there are none, the ones Node brings along. */
const systemRoots = (): Array<string> => {
  if (roots === undefined) {
    const system = onDemand.tls().getCACertificates("system")
    roots =
      system.length > 0
        ? [...system, ...onDemand.tls().getCACertificates("extra")]
        : onDemand.tls().getCACertificates("default")
  }
  return roots
}

let systemContexts: Map<string, tls.SecureContext> | undefined

const contextOf = (spec: ClientTls): tls.SecureContext => {
  const options: tls.SecureContextOptions = {
    minVersion: spec.minVersion,
    maxVersion: spec.maxVersion,
    ca: spec.rootsPem ?? systemRoots(),
    ...(spec.identity === undefined
      ? {}
      : { cert: spec.identity.certificatePem, key: Redacted.value(spec.identity.keyPem) }),
    ...(spec.cipherSuites.length === 0 ? {} : { ciphers: spec.cipherSuites.join(":") }),
    ...(spec.keyExchangeGroups.length === 0 ? {} : { ecdhCurve: spec.keyExchangeGroups.join(":") }),
  }
  if (spec.rootsPem !== undefined || spec.identity !== undefined) return onDemand.tls().createSecureContext(options)
  // Parsing the system's roots takes milliseconds; everybody without roots of their own shares the result.
  const key = [spec.minVersion, spec.maxVersion, options.ciphers, options.ecdhCurve].join(" ")
  systemContexts ??= new Map()
  const known = systemContexts.get(key)
  if (known !== undefined) return known
  const context = onDemand.tls().createSecureContext(options)
  systemContexts.set(key, context)
  return context
}

/** The URIs among the subject alternative names; values that hold separators come quoted as JSON. */
export const urisOf = (subjectAltName: string | undefined): ReadonlyArray<string> => {
  const uris: Array<string> = []
  for (const part of (subjectAltName ?? "").match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const entry = part.trim()
    if (!entry.startsWith("URI:")) continue
    const value = entry.slice(4)
    uris.push(value.startsWith('"') ? String(JSON.parse(value)) : value)
  }
  return uris
}

const isUri = (name: string): boolean => name.includes("://")

type Check = (host: string, certificate: tls.PeerCertificate) => Error | undefined

const checkOf = (spec: ClientTls, name: string): Check => {
  if (spec.verify !== "full") return () => undefined
  const names = spec.subjectAltNames
  if (names.length === 0) return (_, certificate) => onDemand.tls().checkServerIdentity(name, certificate)
  return (_, certificate) => {
    const uris = urisOf(certificate.subjectaltname)
    let error: Error | undefined
    for (const one of names) {
      if (isUri(one)) {
        if (uris.includes(one)) return undefined
      } else {
        const refused = onDemand.tls().checkServerIdentity(one, certificate)
        if (refused === undefined) return undefined
        error = refused
      }
    }
    return error ?? Object.assign(new Error("no such name"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" })
  }
}

/** The TLS side of one endpoint; it remembers the last session, so that later handshakes are short. */
export class Securer {
  private readonly spec: ClientTls
  private readonly name: string
  private readonly check: Check
  private context: tls.SecureContext | Failed | undefined
  private session: Buffer | undefined

  constructor(spec: ClientTls, host: string) {
    this.spec = spec
    this.name = spec.hostname ?? host
    this.check = checkOf(spec, this.name)
  }

  /** Runs the handshake over a connected socket; the result cancels it by destroying that socket. */
  secure(
    raw: net.Socket,
    alpn: ReadonlyArray<string>,
    halfOpen: boolean,
    done: (failed: Failed | undefined, secured: tls.TLSSocket | undefined) => void,
  ): void {
    const context = this.contextNow()
    if (context instanceof Failed) {
      raw.destroy()
      return done(context, undefined)
    }
    const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = {
      socket: raw,
      secureContext: context,
      rejectUnauthorized: this.spec.verify !== "none",
      checkServerIdentity: this.check,
      servername: net.isIP(this.name) === 0 ? this.name : "",
      ALPNProtocols: [...alpn],
      allowHalfOpen: halfOpen,
      ...(this.session === undefined ? {} : { session: this.session }),
    }
    let over = false
    const failed = (error: Error): void => {
      if (over) return
      over = true
      this.session = undefined
      secured.destroy()
      done(tlsFailed(error), undefined)
    }
    let secured: tls.TLSSocket
    try {
      secured = onDemand.tls().connect(options)
    } catch (error) {
      raw.destroy()
      return done(tlsFailed(error as Error), undefined)
    }
    secured.on("error", failed)
    secured.once("close", () => failed(new Error("closed")))
    // A session counts only once its peer has proved itself.
    let early: Buffer | undefined
    secured.on("session", (session) => {
      if (over) this.session = session
      else early = session
    })
    secured.once("secureConnect", () => {
      if (over) return
      over = true
      if (early !== undefined) this.session = early
      done(undefined, secured)
    })
  }

  private contextNow(): tls.SecureContext | Failed {
    if (this.context === undefined) {
      try {
        this.context = contextOf(this.spec)
      } catch (error) {
        this.context = tlsFailed(error as Error)
      }
    }
    return this.context
  }
}
