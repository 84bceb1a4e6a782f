/** All that the rest of the gateway takes of models; it is loaded with the first configuration that has any. */
export { LlmState } from "./LlmState.ts"
export { examinations } from "./examine.ts"
export { inWordsOfModels } from "./refusals.ts"
export { reach } from "./target.ts"
export { ProbedRoutes } from "./ProbedRoutes.ts"
export { Watched } from "./Watched.ts"
