/** Credentials of the gateway on Node; every cloud's library is loaded when it is first asked. */
import type { Credentials } from "../../../stages/ports/Credentials.ts"
import { aws, awsChunks, awsRegion, awsSign } from "./aws.ts"
import * as azure from "./azure.ts"
import * as copilot from "./copilot.ts"
import * as gcp from "./gcp.ts"
import { signJwt } from "./signJwt.ts"

export const credentials: Credentials = {
  gcp: gcp.make(),
  azure: azure.make(),
  aws,
  awsRegion,
  awsSign,
  awsChunks,
  copilot: copilot.make(),
  signJwt,
}
