/** Whether requests without credentials pass. */
import { defaults } from "../../../../ir/defaults.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

export const AuthenticationMode = anyCase(["strict", "optional", "permissive"])

/** Whoever sets up authentication seldom means that it can be left out, so that is to be said. */
export const authenticationMode = <Mode extends string>(
  mode: Mode | undefined,
  path: Path,
  to: Mapping,
): Mode | typeof defaults.authenticationMode => {
  if (mode === undefined) {
    to.warn(
      path,
      "`mode` is not set, so requests without credentials pass",
      "Set `mode: strict`, or `mode: optional` if they are to pass.",
    )
  }
  return mode ?? defaults.authenticationMode
}
