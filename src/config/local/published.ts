/** Where the JSON Schema of the configuration file is published. */
export const referencePath = "docs/reference/config.schema.json"
/** The same for a file beside an installed package. */
export const packagedReference = `node_modules/sluice/${referencePath}`
