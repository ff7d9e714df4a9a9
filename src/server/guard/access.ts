// Owns what one client may do, asked in the words of the APIs: the ACLs of the moment applied to its principal and address. Not the
// rule (decision.ts).

import type { Acls } from '../../broker/core/index.ts'
import { aclSupportedOperations, AclOperation, ResourceType } from '../../protocol/generated/enums.ts'
import { type AclPolicy, type Asker, type Deed, isAllowed, isAllowedSomewhere } from './decision.ts'

/** The name of the one resource of type CLUSTER. */
export const clusterName = 'kafka-cluster'

export interface Topics {
  nameOf(id: string): string | undefined
  exists(name: string): boolean
  names(): readonly string[]
}

type Supported = keyof typeof aclSupportedOperations

export class Access {
  readonly #acls: Acls
  readonly #policy: AclPolicy
  readonly #asker: Asker
  readonly #topics: Topics

  constructor(rules: { readonly acls: Acls; readonly policy: AclPolicy }, asker: Asker, topics: Topics) {
    this.#acls = rules.acls
    this.#policy = rules.policy
    this.#asker = asker
    this.#topics = topics
  }

  /** Undefined when there is no such topic. */
  topicNameOf(id: string): string | undefined {
    return this.#topics.nameOf(id)
  }

  topicExists(name: string): boolean {
    return this.#topics.exists(name)
  }

  topicNames(): readonly string[] {
    return this.#topics.names()
  }

  may(deed: Deed): boolean {
    return isAllowed(this.#acls, this.#policy, this.#asker, deed)
  }

  topic(operation: number, resourceName: string): boolean {
    return this.may({ operation, resourceType: ResourceType.TOPIC, resourceName })
  }

  group(operation: number, resourceName: string): boolean {
    return this.may({ operation, resourceType: ResourceType.GROUP, resourceName })
  }

  transaction(operation: number, resourceName: string): boolean {
    return this.may({ operation, resourceType: ResourceType.TRANSACTIONAL_ID, resourceName })
  }

  cluster(operation: number): boolean {
    return this.may({ operation, resourceType: ResourceType.CLUSTER, resourceName: clusterName })
  }

  /** Whether there is any topic it may write: that is enough to be an idempotent producer. */
  writesSomewhere(): boolean {
    return isAllowedSomewhere(this.#acls, this.#policy, this.#asker, {
      operation: AclOperation.WRITE,
      resourceType: ResourceType.TOPIC,
    })
  }

  /** Kafka's "authorized operations": a bit for each operation of this kind of resource that is allowed. */
  operations(kind: Supported & keyof typeof ResourceType, resourceName: string): number {
    return aclSupportedOperations[kind]
      .filter((operation) => this.may({ operation, resourceType: ResourceType[kind], resourceName }))
      .reduce((bits, operation) => bits | (1 << operation), 0)
  }
}
