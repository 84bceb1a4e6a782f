/** For tests of what compiles regular expressions without a gateway around it. */
import { provideRe2 } from "../src/node/re2.ts"

provideRe2()
