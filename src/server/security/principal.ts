// Owns who a client is: the name its authentication ended with. Not how it proved it, nor what it may do.

export interface Principal {
  readonly type: 'User'
  readonly name: string
}

/** Everyone on a listener that asks nobody who they are. */
export const anonymous: Principal = { type: 'User', name: 'ANONYMOUS' }

export const userNamed = (name: string): Principal => ({ type: 'User', name })

/** As Kafka writes it: `User:alice`. */
export const showPrincipal = ({ type, name }: Principal): string => `${type}:${name}`

export const samePrincipal = (one: Principal, other: Principal): boolean => one.type === other.type && one.name === other.name
