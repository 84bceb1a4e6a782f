/** What expressions see of whoever has connected. */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { HeaderView } from "../../../ir/cel/views.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Workload } from "../../../ir/Workload.ts"
import type { ClientIdentity } from "../../ports/Network.ts"
import type { Facts } from "./Facts.ts"
import { FieldView } from "./FieldView.ts"

const spiffeOf = (client: ClientIdentity): string | undefined =>
  client.subjectAltNames.find((name) => name.startsWith("spiffe://"))

const workloadId = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/

const sourceFields = [
  "address",
  "port",
  "rawAddress",
  "rawPort",
  "identity",
  "spiffeId",
  "subjectAltNames",
  "issuer",
  "subject",
  "subjectCn",
  "certificate",
  "unverifiedWorkload",
  "connectHeaders",
]

/** Fields that only the end of a handshake tells. */
const sealedFields = new Set([
  "identity",
  "spiffeId",
  "subjectAltNames",
  "issuer",
  "subject",
  "subjectCn",
  "certificate",
])

const workloads = new WeakMap<Snapshot["workloads"], ReadonlyMap<string, Workload>>()

const workloadAt = (table: Snapshot["workloads"], address: string): Workload | undefined => {
  let index = workloads.get(table)
  if (index === undefined) {
    const made = new Map<string, Workload>()
    for (const workload of table.values()) for (const one of workload.addresses) made.set(one, workload)
    workloads.set(table, (index = made))
  }
  return index.get(address)
}

export class SourceFacts extends FieldView {
  protected readonly names = sourceFields
  private readonly facts: Facts

  constructor(facts: Facts) {
    super()
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { facts } = this
    const { secured } = facts
    if (secured === undefined) return undefined
    const { accepted } = secured
    switch (name) {
      case "address":
        return accepted.peer.host
      case "port":
        return accepted.peer.port
      case "rawAddress":
        return accepted.rawPeer.host
      case "rawPort":
        return accepted.rawPeer.port
      case "connectHeaders":
        return accepted.connectHeaders === undefined
          ? undefined
          : new HeaderView(accepted.connectHeaders.flat, facts.around.isSensitive)
      case "unverifiedWorkload": {
        const found = facts.workloads === undefined ? undefined : workloadAt(facts.workloads, accepted.peer.host)
        return found === undefined
          ? undefined
          : { name: found.name, namespace: found.namespace, serviceAccount: found.serviceAccount }
      }
      default:
        if (sealedFields.has(name)) facts.askedForSeal = true
        return secured.tls?.client === undefined ? undefined : ofClient(secured.tls.client, name)
    }
  }
}

const ofClient = (client: ClientIdentity, name: string): CelValue | undefined => {
  switch (name) {
    case "spiffeId":
      return spiffeOf(client)
    case "identity": {
      const [, trustDomain, namespace, serviceAccount] = workloadId.exec(spiffeOf(client) ?? "") ?? []
      return trustDomain === undefined || namespace === undefined || serviceAccount === undefined
        ? undefined
        : { trustDomain, namespace, serviceAccount }
    }
    case "subjectAltNames":
      return client.subjectAltNames
    case "issuer":
      return client.issuer
    case "subject":
      return client.subject
    case "subjectCn":
      return client.subjectCn
    case "certificate":
      return client.certificatePem
    default:
      return undefined
  }
}
