// Owns answering DescribeClientQuotas as long as there are no quotas: none match, whatever is asked for. `kafka-configs --describe` of a
// user asks for them before it asks for SCRAM credentials.

import { ApiKey } from '../../protocol/index.ts'
import {
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
  describeClientQuotasResponse,
  readDescribeClientQuotasRequest,
  writeDescribeClientQuotasResponse,
} from '../../protocol/generated/describe-client-quotas.ts'
import { type ServedApi, serve } from '../front/served-api.ts'

export function describeClientQuotasApi(): ServedApi {
  return serve<DescribeClientQuotasRequest, DescribeClientQuotasResponse>({
    key: ApiKey.DescribeClientQuotas,
    order: 'serial',
    read: readDescribeClientQuotasRequest,
    write: writeDescribeClientQuotasResponse,
    handle: () => describeClientQuotasResponse({ errorMessage: null, entries: [] }),
    failed: (_request, errorCode) => describeClientQuotasResponse({ errorCode, errorMessage: null, entries: null }),
  })
}
