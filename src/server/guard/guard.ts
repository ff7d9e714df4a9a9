// Owns putting a guard before a handler: what the client may not do is taken out of its request and answered here, the rest is handed
// on. Not which API demands what (topic-guards.ts and beside it).

import { ErrorCode } from '../../protocol/index.ts'
import type { ApiMessages } from '../../protocol/index.ts'
import type { Call } from '../front/call.ts'
import { LastResponse, NoResponse, type Reply } from '../front/reply.ts'
import type { Access } from './access.ts'

export interface Asked<Request, Response> {
  readonly request: Request
  readonly call: Call
  readonly access: Access
  /** The handler's own answer that carries one error for all of a request. */
  failed(request: Request, errorCode: number): Response
}

export type Verdict<Request, Response> =
  /** Nothing is asked that is not allowed. */
  | { readonly kind: 'pass' }
  /** Nothing of it is allowed. */
  | { readonly kind: 'refuse'; readonly response: Response | NoResponse; readonly errorCode: number }
  /** This much is allowed; `complete` makes the whole answer of what the handler answered. */
  | {
      readonly kind: 'part'
      readonly request: Request
      /** The error that was answered for the rest, for the metric and for who waits for no answer; NONE when nothing was taken out. */
      readonly errorCode: number
      complete(response: Response): Response
    }

export type Guard<Request, Response> = (asked: Asked<Request, Response>) => Verdict<Request, Response>

export type Guards = {
  readonly [Name in keyof ApiMessages]?: Guard<ApiMessages[Name]['request'], ApiMessages[Name]['response']>
}

export const pass = { kind: 'pass' } as const

type Refused<Response> = Extract<Verdict<never, Response>, { kind: 'refuse' }>

export const refuse = <Response>(response: Response | NoResponse, errorCode: number): Refused<Response> => ({
  kind: 'refuse',
  response,
  errorCode,
})

type Handle<Request, Response> = (request: Request, call: Call) => Reply<Response> | Promise<Reply<Response>>

function completed<Request, Response>(
  reply: Reply<Response>,
  verdict: Extract<Verdict<Request, Response>, { kind: 'part' }>,
): Reply<Response> {
  if (reply instanceof LastResponse) return reply
  if (!(reply instanceof NoResponse)) return verdict.complete(reply)
  // Who waits for no answer learns of a refusal by the end of the connection alone, as of any other failure.
  if (verdict.errorCode === ErrorCode.NONE || reply.closeReason !== undefined) return reply
  return new NoResponse(`a request without an answer was refused in part with error ${verdict.errorCode}`)
}

/** An API without a guard is refused: what nobody thought about is not open. */
export function guarded<Request, Response>(
  guard: Guard<Request, Response> | undefined,
  asked: Asked<Request, Response>,
  handle: Handle<Request, Response>,
): Reply<Response> | Promise<Reply<Response>> {
  const { request, call } = asked
  if (guard === undefined) {
    call.countError(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    return asked.failed(request, ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
  }
  const verdict = guard(asked)
  if (verdict.kind === 'pass') return handle(request, call)
  call.countError(verdict.errorCode)
  if (verdict.kind === 'refuse') return verdict.response
  const reply = handle(verdict.request, call)
  return reply instanceof Promise ? reply.then((later) => completed(later, verdict)) : completed(reply, verdict)
}

interface Split<Request, Response, Item> {
  items(request: Request): readonly Item[]
  isAllowed(item: Item): boolean
  withItems(request: Request, items: readonly Item[]): Request
  readonly errorCode: number
  merge(response: Response, refused: Response): Response
  /** Absent: the handler's own answer with the error for each of them. */
  refused?(items: readonly Item[]): Response
}

/** The frequent shape: a list of things, each allowed or not, each with an answer of its own. */
export function splitBy<Request, Response, Item>(
  asked: Asked<Request, Response>,
  split: Split<Request, Response, Item>,
): Verdict<Request, Response> {
  const items = split.items(asked.request)
  const denied = items.filter((item) => !split.isAllowed(item))
  if (denied.length === 0) return pass
  const { errorCode } = split
  const refused = split.refused?.(denied) ?? asked.failed(split.withItems(asked.request, denied), errorCode)
  const deniedSet = new Set(denied)
  return {
    kind: 'part',
    request: split.withItems(
      asked.request,
      items.filter((item) => !deniedSet.has(item)),
    ),
    errorCode,
    complete: (response) => split.merge(response, refused),
  }
}
