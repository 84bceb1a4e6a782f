/** `ipAccessControl`: which addresses may pass. */
import * as Schema from "effect/Schema"
import { Cidr, parseCidr } from "../../../../ir/cel/ip.ts"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { IpAccessControl as IrIpAccessControl } from "../../../../ir/policy/IpAccessControl.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Count, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

const ipAccessControlShape = Schema.Struct({
  allow: opt(Texts, "Ranges such as `10.0.0.0/8`; any address unless set."),
  deny: opt(Texts, "Ranges that may not pass, whatever `allow` says."),
  xffNumTrustedHops: opt(Count, "How many proxies in front write `X-Forwarded-For`; the connection counts unless set."),
  skipPrivateIps: opt(Schema.Boolean, "Lets addresses pass that are not public."),
  enforceFullChain: opt(Schema.Boolean, "Judges every address of `X-Forwarded-For`, and that of the connection."),
  maxXffLength: opt(Count, "More addresses in `X-Forwarded-For` are refused; 30 unless set."),
}).annotate({ identifier: "IpAccessControl", description: "Which addresses may pass." })
export interface IpAccessControlSchema extends Named<typeof ipAccessControlShape> {}
export const IpAccessControl: IpAccessControlSchema = ipAccessControlShape
export type IpAccessControl = typeof IpAccessControl.Type

export const ipAccessControl = (policy: IpAccessControl, path: Path, to: Mapping): IrIpAccessControl => {
  const { allow = [], deny = [], enforceFullChain = false, maxXffLength, xffNumTrustedHops } = policy
  for (const [name, list] of Object.entries({ allow, deny })) {
    for (const [i, one] of list.entries()) {
      const range = one.includes("/") ? parseCidr(one) : undefined
      if (!(range instanceof Cidr)) {
        to.fail([...path, name, i], `${JSON.stringify(one)} is no range`, "Write `10.0.0.0/8`, or `10.1.2.3/32`.")
      }
    }
  }
  if (allow.length + deny.length === 0) to.warn(path, "every address passes", "Set `allow` or `deny`.")
  if (enforceFullChain && xffNumTrustedHops !== undefined) {
    to.warn([...path, "xffNumTrustedHops"], "the whole chain is judged anyway", "Leave out one of the two.")
  }
  return {
    _tag: "IpAccessControl",
    allow,
    deny,
    ...present({ trustedHops: xffNumTrustedHops }),
    skipsPrivate: policy.skipPrivateIps ?? false,
    isWholeChain: enforceFullChain,
    chainLengthMax: maxXffLength ?? defaults.forwardedChainMax,
  }
}
