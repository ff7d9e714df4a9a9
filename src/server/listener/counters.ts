// Owns the listener's plain counters; they become metrics when scraped (http/). A plain field costs about a nanosecond to count.

export class ListenerCounters {
  connectionsOpen = 0
  connectionsAccepted = 0
  connectionsRefused = 0
  connectionsClosedIdle = 0
  connectionsClosedBad = 0
  connectionsClosedStalled = 0
  connectionsUnauthenticated = 0
  handshakesFailed = 0
  bytesIn = 0
  bytesOut = 0
}
