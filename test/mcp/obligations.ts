/** What the protocol demands of a gateway, and where each demand is held to: a file, and the words of its test. */
export interface Obligation {
  readonly demands: string
  readonly tests: ReadonlyArray<readonly [file: string, name: string]>
}

const e2e = (file: string, ...names: ReadonlyArray<string>) =>
  names.map((name) => [`test/e2e/mcp/${file}.test.ts`, name] as const)
const laws = (file: string, ...names: ReadonlyArray<string>) =>
  names.map((name) => [`property-tests/protocols/mcp/${file}.prop.ts`, name] as const)

const features = [
  "say who they are and what they can",
  "know whether the other is there",
  "have the same lists, each in the words of its generation",
  "call tools, and tell a tool that fails from one that is not there",
  "give prompts",
  "read resources, by name and by template, and say which is not there",
  "complete what is typed",
  "hear how far a call has come",
  "hear what a server logs, from the level they chose on",
  "are asked and answer: %s",
  "are asked for what they have open",
  "are asked before they are given a prompt",
  "are asked several things at once",
  "hear what changes, as far as they asked",
  "are told of a method that nobody knows, in the words of their generation",
]

export const obligations: ReadonlyArray<Obligation> = [
  {
    demands: "every feature in every cell: clients of three kinds before servers of five",
    tests: [
      ...e2e("features", ...features),
      ...e2e(
        "federation",
        "is said to a server with sessions by its own number",
        "reaches every target that had begun",
      ),
    ],
  },
  {
    demands: "attribution of questions that name no call",
    tests: [
      ...e2e("parking", "on the stream for everything reaches the one of two calls that it can belong to"),
      ...e2e(
        "interaction",
        "may ask where a question belongs to no call, and the right call is answered",
        "serves calls that may ask one after the other where nothing else tells them apart",
        "comes to its client on the stream of that call, whichever began last",
      ),
    ],
  },
  {
    demands:
      "parking: expiry, replay, tampering, others, other parameters, late retry, loss, partial answers, hanging up",
    tests: [
      ...e2e(
        "interaction",
        "hears that nobody answered when the time is over, and a late answer is told so",
        "is not answered by a state that was used, was changed, or belongs to another request",
        "asks again for what was left open, and does not look at what nobody asked",
        "may ask several things at once, and round after round",
        "is told when its client hangs up before anything was asked",
      ),
      ...e2e(
        "parking",
        "is answered by nobody but who was asked",
        "is not made a second time by another one where it may have done something",
        "is asked anew where it only reads",
        "after the question came is no cancellation, and while the answer is worked on it is",
      ),
    ],
  },
  {
    demands: "names, addresses and header values there and back",
    tests: laws(
      "naming",
      "lead back to their target and the name it gave",
      "lead back to their target and the address it gave, in every position",
      "are what they are to clients in each place there is, once",
      "are read as they were written, whatever they are",
      "are fit for a header",
    ),
  },
  {
    demands: "merging: pages, slow and dead targets, scopes, rules, empty cursors",
    tests: [
      ...e2e(
        "eras",
        "lead through all targets at once, each to its own end",
        "go on for nobody else, nor for another list, nor where the server has forgotten its cursor",
      ),
      ...e2e(
        "federation",
        "is missing from the list, which says so, and its absence costs the others nothing",
        "that is slow is waited for no longer than its own deadline",
        "is fresh for as long as the shortest-lived part, and public only if every part is",
        "takes in every page, an empty cursor included",
      ),
      ...e2e(
        "pages",
        "have so many items each, and together everything once",
        "refuse a cursor that %s, to clients of each generation",
        "lead on in no other list, for nobody else, and not where the list has changed",
      ),
      ...e2e("sessions", "is a tool that the caller may not use: it is not listed, and does not exist"),
    ],
  },
  {
    demands: "listening: acknowledged first and in time, filters, sharing, gaps, drain",
    tests: [
      ...e2e("sessions", "tell a client without a session what it asked for, acknowledged first and tagged"),
      ...e2e(
        "listening",
        "share what is asked of the server, hear their own part each, and the last one ends it",
        "are acknowledged although the server does not say in time whether it will tell",
        "are acknowledged although a server without sessions never acknowledges anything",
        "hears of everything from the moment it is answered, however fast it happens",
        "is followed by news, because something may have happened in it",
        "ends what only waits, so that clients go elsewhere",
      ),
    ],
  },
  {
    demands: "finding out what a server speaks",
    tests: [
      ...e2e(
        "eras",
        "says nothing about what it speaks while it %s",
        "is asked anew when it contradicts what was found, and no call is lost",
      ),
      ...e2e(
        "probing",
        "that answers a question of today with %s is an older one",
        "that answers no POST at all is asked for the stream of the first revision",
        "that ends when it is asked before the handshake is an older one",
      ),
      [
        "test/stages/6-dispatch/mcp/target/HttpTarget.test.ts",
        "is found out once, and an older way is doubted after a while, since only a question can tell",
      ],
    ],
  },
  {
    demands: "nothing is rewritten that nobody has to rewrite",
    tests: [
      ...e2e("fidelity", "and a %s client exchange what they mean"),
      ...e2e(
        "cells",
        "keeps numbers, unknown members and the difference between null and nothing as they were written",
      ),
      ...e2e(
        "unusual",
        "has a thousand tools, whatever they are called, and all that is said of them",
        "come back as they were written, from a %s server",
      ),
      ...laws("json", "has each member in the very characters it was written in"),
    ],
  },
  {
    demands: "resumption where the revision has it, and nowhere else",
    tests: [
      ...e2e(
        "resuming",
        "begins with a name to come back to where the revision has that",
        "gives back what was lost of it, and nothing of another one",
        "has nothing to come back to",
      ),
      ...e2e(
        "sessions",
        "are taken up again where they were lost, and only they",
        "of a server that %s are taken up by the gateway",
      ),
    ],
  },
  {
    demands: "security: hosts and origins, theft, other places, discovery, credentials, forged states",
    tests: [
      ...e2e(
        "sessions",
        "is a request for another host or from another origin, where the gateway is reached locally",
        "belongs to who began it; to anybody else it does not exist",
        "has a name that tells nothing and cannot be made up",
      ),
      ...e2e("probing", "whose stream of the first revision leads to another place is not followed there"),
      ["test/stages/6-dispatch/mcp/target/sseChannel.test.ts", "%s is nowhere of ours"],
      ...e2e("cells", "does not hand the client's own credentials to a server"),
      ...e2e("interaction", "is not answered by a state that was used, was changed, or belongs to another request"),
      [
        "test/stages/6-dispatch/mcp/oauth/reachable.test.ts",
        "is the public network by TLS, and nothing that is not public",
      ],
    ],
  },
  {
    demands: "tasks: nine cells",
    tests: [
      ...e2e(
        "tasks",
        "is answered by a server that knows none either",
        "is answered by a server of 2025-11-25: at once where it may be, else at the end",
        "is answered by a server of the extension, at the end",
        "is told of no tasks where there are none, and answered all the same",
        "has tasks at a server %s",
        "is told that a task has failed whose tool has, at a server for which it has ended",
        "is answered at once by a server without tasks",
        "has tasks at a server of 2025-11-25 where the tool has to be one, with the end inside",
        "has tasks at a server of its own kind, by names that are good for nobody else",
        "is its principal's alone",
      ),
      ...e2e("taskRestart", "a task is asked after by another gateway with the same key, in the session that began it"),
    ],
  },
  {
    demands: "old clients: a strict one, and a very old one",
    tests: e2e(
      "oldClients",
      "gets past every tool that it can call, and past what they answer",
      "is told in words what it could not read",
    ),
  },
]

/** What people complain about in other gateways, where it is about MCP. */
export const lessons: ReadonlyArray<Obligation> = [
  {
    demands: "a target that dies in any phase costs the others nothing, and is named",
    tests: e2e("degrading", "%s costs the others nothing, and is named"),
  },
  {
    demands: "sessions that expire in the middle of calls are no client's business",
    tests: e2e("degrading", "in the middle of everything are begun anew, and no client ever sees an error"),
  },
  {
    demands: "processes come and go, and nothing of them is left",
    tests: [
      ["test/node/comingAndGoing.test.ts", "leave nothing behind"],
      ["test/soak/processes.test.ts", "leave nothing behind after ${cycles} of them"],
      ...e2e("workers", "goes on when one of them dies, whichever it was, and no process stays behind"),
    ],
  },
  {
    demands: "tokens are renewed ahead, and no tool vanishes",
    tests: [["test/e2e/mcp/oauth/tokens.test.ts", "is renewed before it ends, and the old one serves meanwhile"]],
  },
  {
    demands: "many users of a slow tool do not delay another one",
    tests: e2e("degrading", "do not hold up those of another one"),
  },
  {
    demands: "a session outlives its worker and its process",
    tests: e2e("workers", "is taken up by the next process after a sudden end, and its server is not introduced anew"),
  },
  {
    demands: "no secret of a target or a client is ever written down",
    tests: e2e("secrets", "is in no log, no metric and no dump"),
  },
]
