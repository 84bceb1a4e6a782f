/** The targets that are missing from a result, in its `_meta`. */
export const missingKey = "dev.sluice/missing"
