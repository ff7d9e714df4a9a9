// Owns what a handler may give back: a response, none, or the last one of its connection. Not how it is written.

/** Returned by a handler instead of a response. */
export class NoResponse {
  readonly closeReason: string | undefined
  /** With a reason, the connection is closed once everything before is answered. */
  constructor(closeReason?: string) {
    this.closeReason = closeReason
  }
}

export const noResponse = new NoResponse()

/** The last response of a connection: a client that failed to authenticate reads why, and then it is closed. */
export class LastResponse<Response> {
  readonly response: Response
  readonly closeReason: string

  constructor(response: Response, closeReason: string) {
    this.response = response
    this.closeReason = closeReason
  }
}

export type Reply<Response> = Response | NoResponse | LastResponse<Response>
