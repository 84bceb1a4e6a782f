/**
 * Modules of Node that many a gateway never needs: they take a tenth of a start, so each is loaded by the first that has
 * to do with it. Node keeps them, and finds them again at once.
 */
export const http2 = (): typeof import("node:http2") => process.getBuiltinModule("node:http2")

export const zlib = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib")

export const tls = (): typeof import("node:tls") => process.getBuiltinModule("node:tls")
