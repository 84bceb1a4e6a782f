/** Every bound of our own: nothing that is counted, queued or buffered is without one, and each has its name here. */

/** Values in one configuration document, those reached through aliases counted each time. */
export const documentNodesMax = 2_000_000

/** Lists and maps inside each other, where they are written in brackets. */
export const documentDepthMax = 500
/** Bytes of one certificate, key set or other document that the configuration refers to. */
export const referencedBytesMax = 16 * 1024 * 1024
/** Connections open at once on one bind. */
export const bindConnectionsMax = 100_000
/** Replies of models that one thread keeps for whoever asks the same again. */
export const replyCacheBytesMax = 64 * 1024 * 1024
/** Bytes of one request's or reply's header section. */
export const headerBytesMax = 64 * 1024
/** Requests that one HTTP/2 connection may have open at once. */
export const http2StreamsMax = 250
/** Worker threads. */
export const workersMax = 256
