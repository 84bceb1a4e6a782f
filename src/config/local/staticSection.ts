/** The `config` section: what is read once, when the process starts. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { anyCase, Cel, CelMap, Count, exactlyOne, Millis, opt, otlpProtocol, TextMap, Texts } from "./grammar.ts"

const Text = Schema.NonEmptyString

const Database = Schema.Struct({
  url: Text.annotate({
    description: "`sqlite://<path>`, or `postgres://user:password@host:5432/database`.",
  }),
  maxConnections: opt(Count, "Of Postgres; 5 unless set."),
}).annotate({ identifier: "Database" })
const LogFields = Schema.Struct({ add: opt(CelMap), remove: opt(Texts) })

export const sampling = Schema.Union([Schema.Boolean, Schema.Finite, Text])

const staticSectionShape = Schema.Struct({
  enableIpv6: opt(Schema.Boolean),
  dns: opt(
    Schema.Struct({
      lookupFamily: opt(anyCase(["All", "Auto", "V4Preferred", "V4Only", "V6Only"])),
      edns0: opt(Schema.Boolean),
    }),
  ),
  localXdsPath: opt(Text, "File to take everything but `config` from."),
  modelCatalog: opt(
    Schema.Array(exactlyOne(Schema.Struct({ file: opt(Text), inline: opt(Schema.Json) }), ["file", "inline"])),
  ),
  database: opt(Database),
  redis: opt(
    Schema.Struct({ url: Text }),
    "Where limits, budgets and replies are kept that gateways share: `redis://host:6379`.",
  ),
  storage: opt(Schema.Struct({ mode: opt(anyCase(["file", "hybrid", "readOnly"])) })),
  caAddress: opt(Text),
  caAuthToken: opt(Text),
  xdsAddress: opt(Text),
  xdsAuthToken: opt(Text),
  spiffe: opt(Schema.Struct({ endpoint: opt(Text) })),
  namespace: opt(Text),
  gateway: opt(Text),
  trustDomain: opt(Text),
  additionalTrustDomains: opt(Schema.Union([Schema.String, Texts])),
  skipValidateTrustDomain: opt(Schema.Boolean),
  serviceAccount: opt(Text),
  clusterId: opt(Text),
  network: opt(Schema.String),
  adminAddr: opt(Text, "`off`, `unix:<path>`, `localhost:<port>` or `<ip>:<port>`."),
  statsAddr: opt(Text, "As `adminAddr`."),
  readinessAddr: opt(Text, "As `adminAddr`."),
  histograms: opt(anyCase(["classic", "native", "both"])),
  standardAttributes: opt(Schema.Struct({ user: opt(Cel), group: opt(Cel) })),
  session: opt(Schema.Struct({ key: opt(Schema.String) })),
  mcp: opt(
    Schema.Struct({
      sessionTtl: opt(Millis),
      grantKeys: opt(
        Texts,
        "Keys of 32 bytes in hexadecimal for what callers granted: the first seals, all open. One beside the database unless set.",
      ),
    }),
  ),
  a2a: opt(
    Schema.Struct({
      push: opt(
        Schema.Struct({
          callback: Text.annotate({ description: "The URL by which agents and receivers reach this gateway." }),
          allowHosts: opt(
            Texts,
            "Receivers that need be neither public nor spoken to over TLS: `name`, or `*.name` for all below.",
          ),
          signingKey: opt(Text, "A private key, PEM (PKCS #8) or JWK; one that is kept in the database unless set."),
          attempts: opt(Count, "How often one notification is tried; 20 unless set."),
          giveUpAfter: opt(Millis, "How long one is tried; a day unless set."),
          timeout: opt(Millis, "How long a receiver may take; ten seconds unless set."),
        }),
        "Passes on what agents tell of their tasks, instead of having them tell it to clients themselves.",
      ),
    }),
  ),
  sensitiveHeaders: opt(
    Schema.Array(
      Schema.String.check(
        Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { message: "expected the name of a header" }),
      ),
    ),
  ),
  customFunctions: opt(Schema.String),
  connectionMinTerminationDeadline: opt(Millis),
  connectionTerminationDeadline: opt(Millis),
  workerThreads: opt(Schema.Union([Schema.Finite, Text]), "A number, or a percentage of the CPUs."),
  tracing: opt(
    Schema.Struct({
      otlpEndpoint: opt(Text),
      headers: opt(TextMap),
      otlpProtocol: opt(otlpProtocol),
      fields: opt(LogFields),
      randomSampling: opt(sampling),
      clientSampling: opt(sampling),
      path: opt(Text),
    }),
  ),
  logging: opt(
    Schema.Struct({
      level: opt(Schema.Union([Text, Texts])),
      format: opt(anyCase(["text", "json"])),
      filter: opt(Cel),
      fields: opt(LogFields),
      database: opt(Database),
    }),
  ),
  metrics: opt(
    Schema.Struct({
      remove: opt(Texts),
      fields: opt(Schema.Struct({ add: opt(CelMap) })),
      otlp: opt(
        Schema.Struct({
          endpoint: opt(Text, "`http://host:4318` or `grpc://host:4317`."),
          protocol: opt(otlpProtocol),
          path: opt(Text, "Over HTTP; `/v1/metrics` unless set."),
          headers: opt(TextMap),
          interval: opt(Millis, "How often they are told; every minute unless set."),
          temporality: opt(anyCase(["cumulative", "delta"])),
          histograms: opt(anyCase(["explicit", "exponential"])),
        }),
        "Tells metrics to a receiver of OTLP.",
      ),
    }),
  ),
  backend: opt(
    Schema.Struct({
      keepalives: opt(
        Schema.Struct({
          enabled: opt(Schema.Boolean),
          time: opt(Millis),
          interval: opt(Millis),
          retries: opt(Count),
        }),
      ),
      connectTimeout: opt(Millis),
      poolIdleTimeout: opt(Millis),
      poolMaxSize: opt(Count),
    }),
  ),
  hbone: opt(
    Schema.Struct({
      windowSize: opt(Count),
      connectionWindowSize: opt(Count),
      frameSize: opt(Count),
      poolMaxStreamsPerConn: opt(Count),
      poolUnusedReleaseTimeout: opt(Millis),
    }),
  ),
  listener: opt(Schema.Json),
}).annotate({ identifier: "Config", description: "Settings of the process, read once when it starts." })
export interface StaticSectionSchema extends Named<typeof staticSectionShape> {}
export const StaticSection: StaticSectionSchema = staticSectionShape
export type StaticSection = typeof StaticSection.Type
