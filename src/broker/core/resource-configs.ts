// Owns the configs that are set while running on what is no topic, as the metadata machine keeps them: on one broker, on all of them
// (a broker with the empty name), on groups and on subscriptions of client metrics. Commands change them through ClusterState. Not
// which names and values are good, nor what they do.

export type ConfiguredKind = 'broker' | 'group' | 'client-metrics'

/** The name under which what is set for all brokers stands, as in Kafka. */
export const allBrokers = ''

/** In commands and snapshots: all that the resource has from now on; without any, it is forgotten. */
export interface ResourceConfigsForm {
  readonly type: ConfiguredKind
  readonly name: string
  readonly configs: Readonly<Record<string, string>>
}

const kinds: readonly ConfiguredKind[] = ['broker', 'group', 'client-metrics']

export function isResourceConfigs(value: unknown): value is ResourceConfigsForm {
  const { type, name, configs } = (value ?? {}) as Partial<Record<keyof ResourceConfigsForm, unknown>>
  if (!kinds.some((kind) => kind === type) || typeof name !== 'string') return false
  return typeof configs === 'object' && configs !== null && Object.values(configs).every((text) => typeof text === 'string')
}

export class ResourceConfigs {
  readonly #byKind: Readonly<Record<ConfiguredKind, Map<string, ReadonlyMap<string, string>>>> = {
    broker: new Map(),
    group: new Map(),
    'client-metrics': new Map(),
  }

  of(kind: ConfiguredKind, name: string): ReadonlyMap<string, string> {
    return this.#byKind[kind].get(name) ?? new Map()
  }

  /** Those that have any. */
  names(kind: ConfiguredKind): Iterable<string> {
    return this.#byKind[kind].keys()
  }

  apply({ type, name, configs }: ResourceConfigsForm): void {
    const own = new Map(Object.entries(configs))
    if (own.size > 0) this.#byKind[type].set(name, own)
    else this.#byKind[type].delete(name)
  }

  form(): readonly ResourceConfigsForm[] {
    return kinds.flatMap((type) =>
      [...this.#byKind[type]].map(([name, configs]) => ({ type, name, configs: Object.fromEntries(configs) })),
    )
  }

  restore(form: readonly ResourceConfigsForm[]): void {
    for (const kind of kinds) this.#byKind[kind].clear()
    for (const one of form) this.apply(one)
  }
}
