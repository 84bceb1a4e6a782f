/** Apart from the schemas, so that serving does not load them. */
import type { Listener } from "./Listener.ts"

export const isTls = (listener: Listener): boolean => listener.protocol === "HTTPS" || listener.protocol === "TLS"

export const isHttp = (listener: Listener): boolean => listener.protocol === "HTTP" || listener.protocol === "HTTPS"
