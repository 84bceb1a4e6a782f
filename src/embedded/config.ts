/** What is served when nothing was configured: useful at once, and without a network. */
export const embedded = `
gateways:
  default:
    port: 4000
routes:
  - name: sample
    policies:
      cors:
        allowOrigins: ["*"]
        allowMethods: ["*"]
        allowHeaders: ["*"]
    backends:
      - host: 127.0.0.1:\${SLUICE_SAMPLE_PORT}
`
