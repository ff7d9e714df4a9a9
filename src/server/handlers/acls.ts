// Owns answering DescribeAcls, CreateAcls and DeleteAcls: what an ACL may say, and which ones a filter means, in Kafka's words. Does not
// own where ACLs are kept (broker), nor what they decide (guard/).

import { type Outcome, fail, succeed } from '../../base/outcome.ts'
import { type AclRecord, literalPattern, prefixedPattern, wildcardName } from '../../broker/core/index.ts'
import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type AclCreation,
  aclCreationResult,
  type CreateAclsRequest,
  type CreateAclsResponse,
  createAclsResponse,
  readCreateAclsRequest,
  writeCreateAclsResponse,
} from '../../protocol/generated/create-acls.ts'
import {
  type DeleteAclsFilter,
  deleteAclsFilterResult,
  deleteAclsMatchingAcl,
  type DeleteAclsRequest,
  type DeleteAclsResponse,
  deleteAclsResponse,
  readDeleteAclsRequest,
  writeDeleteAclsResponse,
} from '../../protocol/generated/delete-acls.ts'
import {
  aclDescription,
  type DescribeAclsRequest,
  describeAclsResource,
  type DescribeAclsResponse,
  describeAclsResponse,
  readDescribeAclsRequest,
  writeDescribeAclsResponse,
} from '../../protocol/generated/describe-acls.ts'
import { AclOperation, AclPermissionType, PatternType, ResourceType } from '../../protocol/generated/enums.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import { clusterName } from '../guard/access.ts'
import type { HandlerPorts, KafkaFailure } from '../ports.ts'
import { within } from './time-out.ts'

const disabled = { errorCode: ErrorCode.SECURITY_DISABLED, message: 'No Authorizer is configured on the broker.' }
const late: Outcome<undefined, KafkaFailure> = fail({
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  message: 'the change is not in the bucket yet; it goes on',
})
/** Metadata is kept in memory and in every snapshot. */
const textBytesMax = 1024

export function aclApis(ports: HandlerPorts): ServedApi[] {
  return [describeAclsApi(ports), createAclsApi(ports), deleteAclsApi(ports)]
}

function describeAclsApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeAclsRequest, DescribeAclsResponse>({
    key: ApiKey.DescribeAcls,
    order: 'serial',
    read: readDescribeAclsRequest,
    write: writeDescribeAclsResponse,
    handle: (request, call) => {
      const failure = ports.settings.aclPolicy === undefined ? disabled : filterFault(request)
      if (failure !== undefined) {
        call.countError(failure.errorCode)
        return describeAclsResponse({ errorCode: failure.errorCode, errorMessage: failure.message })
      }
      const byResource = new Map<string, AclRecord[]>()
      for (const acl of ports.broker.acls.set.all()) {
        if (!isMeant(request, acl)) continue
        const key = JSON.stringify([acl.resourceType, acl.patternType, acl.resourceName])
        byResource.set(key, [...(byResource.get(key) ?? []), acl])
      }
      const resources = [...byResource.values()].map((acls) => {
        const { resourceType, resourceName, patternType } = acls[0]!
        const described = acls.map(({ principal, host, operation, permission }) =>
          aclDescription({ principal, host, operation, permissionType: permission }),
        )
        return describeAclsResource({ resourceType, resourceName, patternType, acls: described })
      })
      return describeAclsResponse({ errorMessage: null, resources })
    },
    failed: (_request, errorCode) => describeAclsResponse({ errorCode, errorMessage: null }),
  })
}

function createAclsApi(ports: HandlerPorts): ServedApi {
  return serve<CreateAclsRequest, CreateAclsResponse>({
    key: ApiKey.CreateAcls,
    order: 'serial',
    read: readCreateAclsRequest,
    write: writeCreateAclsResponse,
    handle: async ({ creations }, call) => {
      const faults = creations.map((creation) => (ports.settings.aclPolicy === undefined ? disabled : creationFault(creation)))
      const additions = creations.filter((_, at) => faults[at] === undefined).map(recordOf)
      const changed = await change(ports, additions, [])
      const results = faults.map((fault) => {
        const failure = fault ?? (changed.ok ? undefined : changed.failure)
        call.countError(failure?.errorCode ?? ErrorCode.NONE)
        return aclCreationResult({ errorCode: failure?.errorCode ?? ErrorCode.NONE, errorMessage: failure?.message ?? null })
      })
      return createAclsResponse({ results })
    },
    failed: ({ creations }, errorCode) =>
      createAclsResponse({ results: creations.map(() => aclCreationResult({ errorCode, errorMessage: null })) }),
  })
}

function deleteAclsApi(ports: HandlerPorts): ServedApi {
  return serve<DeleteAclsRequest, DeleteAclsResponse>({
    key: ApiKey.DeleteAcls,
    order: 'serial',
    read: readDeleteAclsRequest,
    write: writeDeleteAclsResponse,
    handle: async ({ filters }, call) => {
      const faults = filters.map((filter) => (ports.settings.aclPolicy === undefined ? disabled : filterFault(filter)))
      const all = [...ports.broker.acls.set.all()]
      const meant = filters.map((filter, at) => (faults[at] === undefined ? all.filter((acl) => isMeant(filter, acl)) : []))
      const changed = await change(ports, [], [...new Set(meant.flat())])
      const filterResults = filters.map((_, at) => {
        const failure = faults[at] ?? (changed.ok ? undefined : changed.failure)
        call.countError(failure?.errorCode ?? ErrorCode.NONE)
        if (failure !== undefined)
          return deleteAclsFilterResult({ errorCode: failure.errorCode, errorMessage: failure.message, matchingAcls: [] })
        const matchingAcls = meant[at]!.map(({ permission, ...acl }) =>
          deleteAclsMatchingAcl({ ...acl, permissionType: permission, errorMessage: null }),
        )
        return deleteAclsFilterResult({ errorMessage: null, matchingAcls })
      })
      return deleteAclsResponse({ filterResults })
    },
    failed: ({ filters }, errorCode) =>
      deleteAclsResponse({
        filterResults: filters.map(() => deleteAclsFilterResult({ errorCode, errorMessage: null, matchingAcls: [] })),
      }),
  })
}

async function change(
  { broker, clock, limits }: HandlerPorts,
  additions: readonly AclRecord[],
  removals: readonly AclRecord[],
): Promise<Outcome<undefined, KafkaFailure>> {
  if (additions.length === 0 && removals.length === 0) return succeed(undefined)
  return within(clock, limits.metadata.changeMs, broker.acls.alter(additions, removals), () => late)
}

const recordOf = (creation: AclCreation): AclRecord => ({
  resourceType: creation.resourceType,
  resourceName: creation.resourceName,
  patternType: creation.resourcePatternType,
  principal: creation.principal,
  host: creation.host,
  operation: creation.operation,
  permission: creation.permissionType,
})

const isOneOf = (codes: Readonly<Record<string, number>>, code: number): boolean => Object.values(codes).includes(code)

function creationFault(creation: AclCreation): KafkaFailure | undefined {
  const { resourceType, resourceName, resourcePatternType, principal, host, operation, permissionType } = creation
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REQUEST, message })
  const isVague = (code: number): boolean => code <= 1
  if (isVague(resourceType) || !isOneOf(ResourceType, resourceType)) return invalid('Invalid resource type')
  if (resourcePatternType !== literalPattern && resourcePatternType !== prefixedPattern) return invalid('Invalid pattern type')
  if (isVague(operation) || !isOneOf(AclOperation, operation)) return invalid('Invalid operation type')
  if (permissionType !== AclPermissionType.DENY && permissionType !== AclPermissionType.ALLOW)
    return invalid('Invalid permission type')
  if (resourceName === '') return invalid('Resource name must not be empty')
  if (resourceType === ResourceType.CLUSTER && resourceName !== clusterName)
    return invalid(`The only valid name for the CLUSTER resource is ${clusterName}`)
  if (!/^[^:]+:.+$/s.test(principal)) return invalid('Could not parse principal: expected a string like User:name')
  if (host === '') return invalid('Host must not be empty')
  const isLong = [resourceName, principal, host].some((text) => Buffer.byteLength(text) > textBytesMax)
  return isLong ? invalid(`Names must not be longer than ${textBytesMax} bytes`) : undefined
}

type Filter = Pick<
  DeleteAclsFilter,
  | 'resourceTypeFilter'
  | 'resourceNameFilter'
  | 'patternTypeFilter'
  | 'principalFilter'
  | 'hostFilter'
  | 'operation'
  | 'permissionType'
>

function filterFault(filter: Filter): KafkaFailure | undefined {
  const { resourceTypeFilter, patternTypeFilter, operation, permissionType } = filter
  const codes = [resourceTypeFilter, patternTypeFilter, operation, permissionType]
  const known = [ResourceType, PatternType, AclOperation, AclPermissionType]
  if (codes.every((code, at) => code > 0 && isOneOf(known[at]!, code))) return undefined
  return { errorCode: ErrorCode.INVALID_REQUEST, message: 'The filter has elements that are not known' }
}

const isAnyOr = (wanted: number, code: number): boolean => wanted === 1 || wanted === code

/** As Kafka's AclBindingFilter: MATCH means every pattern that covers the name, ANY each of that very name. */
function isMeant(filter: Filter, acl: AclRecord): boolean {
  return (
    isAnyOr(filter.resourceTypeFilter, acl.resourceType) &&
    isPatternMeant(filter, acl) &&
    (filter.principalFilter === null || filter.principalFilter === acl.principal) &&
    (filter.hostFilter === null || filter.hostFilter === acl.host) &&
    isAnyOr(filter.operation, acl.operation) &&
    isAnyOr(filter.permissionType, acl.permission)
  )
}

function isPatternMeant({ patternTypeFilter: wanted, resourceNameFilter: name }: Filter, acl: AclRecord): boolean {
  if (wanted !== PatternType.ANY && wanted !== PatternType.MATCH && wanted !== acl.patternType) return false
  if (name === null) return true
  if (wanted !== PatternType.MATCH) return name === acl.resourceName
  if (acl.patternType === prefixedPattern) return name.startsWith(acl.resourceName)
  return name === acl.resourceName || acl.resourceName === wildcardName
}
