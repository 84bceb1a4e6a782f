/** The bounds of everything MCP holds, reads or waits for. */

const second = 1000
const minute = 60 * second

export const limits = {
  /** A request of a client, and one message of a server. */
  requestBytesMax: 4 * 1024 * 1024,
  messageBytesMax: 10 * 1024 * 1024,
  metaCharsMax: 64 * 1024,

  /** Until a target has to have answered when all are asked. */
  listMillis: 5 * second,
  probeMillis: 5 * second,
  stdioProbeMillis: 3 * second,
  /** Until a process has to have introduced itself: starting may mean fetching the program first. */
  introductionMillis: minute,
  /** Until a server has to have taken what needs no answer. */
  handoverMillis: minute,
  /** How long a person may take to answer. */
  askMillis: 5 * minute,
  /** How long a call of a server with sessions waits for the answers of a client without. */
  parkedMillis: 50 * second,
  /** How long further questions are waited for, once there is one. */
  gatherMillis: 25,
  roundsMax: 10,
  /** How often a client that wants to hear of progress hears something while a question waits. */
  tickMillis: 15 * second,
  cancelMillis: 5 * second,

  legacyVerdictMillis: 10 * minute,
  endpointEventMillis: 10 * second,
  /** An event stream that ended early is taken up again so many times without a new event. */
  resumptionsMax: 5,
  resumeMillis: second,

  /** How long a task that says it needs input may take to say which. */
  questionMillis: 2 * second,
  tasksMax: 10_000,
  /** Tasks without a time of their own are listed for so long, and no task for longer than that. */
  unlimitedTaskMillis: 24 * 60 * minute,
  taskMillisMax: 30 * 24 * 60 * minute,
  parkedPerPrincipalMax: 16,
  parkedMax: 10_000,
  poolSessionsMax: 8,
  /** How often in a row a session may be forgotten before its call is done with. */
  healsMax: 4,
  poolIdleMillis: 5 * minute,
  poolsMax: 1_024,
  sessionsPerPrincipalMax: 1_000,
  sessionsMax: 100_000,
  sessionIdleMillis: 30 * minute,
  streamsPerSessionMax: 64,

  eventsPerStreamMax: 256,
  eventCharsPerStreamMax: 1024 * 1024,
  eventsKeptMillis: 5 * minute,
  /** What a client may leave unread. */
  unsentCharsMax: 16 * 1024 * 1024,
  keepAliveMillis: 15 * second,
  /** A reply that is still to come by then becomes a stream, so that nobody takes it for lost. */
  patienceMillis: 5 * second,

  sealedCharsMax: 8 * 1024,
  sealedMillis: 10 * minute,
  pagesMax: 64,
  itemsMax: 10_000,
  staleMillis: 10 * minute,
  debounceMillis: 200,
  acknowledgeMillis: 300,
  reconnectMillisMin: 500,
  reconnectMillisMax: 30 * second,
  lingerMillis: 5 * second,
  updatesPerListenMax: 1_000,
  listensPerPrincipalMax: 256,

  /** Failures in a row that open the breaker, and how long it stays open. */
  failuresMax: 5,
  suspendedMillis: 5 * second,
} as const
