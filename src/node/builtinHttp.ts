/**
 * What is used of Node's HTTP. To import it as a module reads every property that it has, and one of them loads a second
 * HTTP client, which takes a tenth of the start and several megabytes and serves nobody here.
 */
export const { createServer } = process.getBuiltinModule("node:http")
