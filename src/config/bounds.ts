/** Every bound of our own: nothing that is counted, queued or buffered is without one, and each has its name here. */

/** Values in one configuration document, those reached through aliases counted each time. */
export const documentNodesMax = 2_000_000
/** Bytes of one certificate, key set or other document that the configuration refers to. */
export const referencedBytesMax = 16 * 1024 * 1024
/** Milliseconds to fetch one of them from a URL. */
export const referencedFetchTimeoutMillis = 10_000
/** Connections open at once on one bind. */
export const bindConnectionsMax = 100_000
/** Bytes of one request's or reply's header section. */
export const headerBytesMax = 64 * 1024
/** Header lines of one HTTP/1 request, unless the file says otherwise. */
export const headerLinesMax = 100
/** Bytes of a body that is held in memory as a whole, unless the file says otherwise. */
export const bufferBytesMax = 2 * 1024 * 1024
/** Bytes of a request body kept for another attempt. */
export const replayBytesMax = 64 * 1024
/** Bytes of a PROXY protocol header, both versions. */
export const proxyHeaderBytesMax = 536
/** Milliseconds to send a PROXY protocol header. */
export const proxyHeaderTimeoutMillis = 5_000
/** Milliseconds for a TLS handshake, unless the file says otherwise. */
export const handshakeTimeoutMillis = 15_000
/** Milliseconds an HTTP/1 connection may be idle or take to send a head, unless the file says otherwise. */
export const http1IdleTimeoutMillis = 600_000
/** Requests that one HTTP/2 connection may have open at once. */
export const http2StreamsMax = 250
/** Worker threads. */
export const workersMax = 256
