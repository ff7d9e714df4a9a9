// Owns what an address of a client is called: IPv4 as such, also where it came in on a socket for both.

import type { Socket } from 'node:net'

export const addressOf = ({ remoteAddress }: Socket): string => (remoteAddress ?? 'unknown').replace(/^::ffff:/, '')
