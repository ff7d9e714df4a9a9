// Owns the way from a bucket (and perhaps an intact WAL) to the state a broker starts from: named phases, each with its time and
// requests. Not the running node.
//
//   fresh        the bucket holds no life: claim life 1, store empty snapshots, open
//   resume       the local WAL belongs to the newest life: load, lay the WAL over, go on writing in the same life
//   cold-start   the bucket holds a life and the disk is empty: claim the next life, fence the old, load, store snapshots, open

import { assertDefined } from '../src/base/assert.ts'
import { sleep } from '../src/base/clock.ts'
import { isoTime } from '../src/base/iso-time.ts'
import { OpError } from '../src/base/op-error.ts'
import { freshUuidText } from '../src/base/uuid-text.ts'
import { ClusterState } from '../src/broker/core/index.ts'
import { type GroupNumber, leaderEpoch, lifeNumber, type LifeNumber, logIndex, metadataGroup, nodeId } from '../src/model/ids.ts'
import { type Fence, metadataWalPrefix, walPrefix } from '../tiers/stream/index.ts'
import { lifeFormatVersion, type OpenRecord } from './core/life-records.ts'
import { type FencedWriter, fenceWriter, standingFence, surveyWriter, type WriterEnd, type WriterObject } from './fence.ts'
import { claimLife, type LifeFacts, listLives, openLife, readClaim, readHeartbeats, readOpen, writeHeartbeat } from './lives.ts'
import type { LocalWal, Recovered, RecoveredCoordinator, RecoveredPartition, RecoveryWorld } from './ports.ts'
import { emptyReport, type RecoveryReport } from './report.ts'
import {
  groupsFrom,
  type LoadedGroups,
  type LoadedMetadata,
  loadGroups,
  loadMetadata,
  metadataFrom,
  newestSnapshot,
  snapshotStores,
} from './stages/load-bucket.ts'
import { noOverlay, type Overlay, overlayWal } from './stages/overlay-wal.ts'

/** Runs one named phase: progress before, time and requests into the report after. */
class Phases {
  readonly #world: RecoveryWorld
  readonly reports: RecoveryReport['phases'] = []

  constructor(world: RecoveryWorld) {
    this.#world = world
  }

  async run<Value>(phase: string, detail: string, work: () => Promise<Value>): Promise<Value> {
    const { clock, progress, requests } = this.#world
    progress(phase, detail)
    const started = clock.monotonicMs()
    const before = requests()
    const value = await work()
    this.reports.push({ phase, durationMs: clock.monotonicMs() - started, requests: requests() - before })
    return value
  }
}

interface Survey {
  readonly storeNowMs: number
  readonly local: LocalWal
  readonly lives: readonly LifeFacts[]
  /** The newest life that served; undefined on an empty bucket. */
  readonly source: OpenRecord | undefined
}

export async function recover(world: RecoveryWorld): Promise<Recovered> {
  const phases = new Phases(world)
  const started = world.clock.monotonicMs()
  const { storeNowMs } = await phases.run('probe', 'prove conditional writes', world.probe)
  const local = await phases.run('wal', 'read the local WAL', world.openWal)
  const survey = await phases.run('survey', 'find out which lives there are', async () => surveyLives(world, storeNowMs, local))
  const recovered = await byMode(world, phases, survey)
  finishReport(recovered, { phases: phases.reports, durationMs: world.clock.monotonicMs() - started, requests: world.requests() })
  return recovered
}

async function surveyLives(world: RecoveryWorld, storeNowMs: number, local: LocalWal): Promise<Survey> {
  const lives = await listLives(world.store)
  for (const facts of [...lives].reverse()) {
    if (!facts.opened) continue
    const record = await readOpen(world.store, facts.life)
    if (record.state === 'serving') return { storeNowMs, local, lives, source: record }
  }
  return { storeNowMs, local, lives, source: undefined }
}

async function byMode(world: RecoveryWorld, phases: Phases, survey: Survey): Promise<Recovered> {
  const { identity } = survey.local
  const { source } = survey
  if (identity === undefined && survey.local.entries.length > 0) {
    throw new OpError('invalid', {
      code: 'WAL_WITHOUT_IDENTITY',
      detail:
        'the WAL folder holds entries, but not whose they are (identity.json is gone); restore that file, or move the folder away for a cold start',
    })
  }
  if (source === undefined) {
    if (identity !== undefined && survey.local.entries.length > 0) {
      throw new OpError('invalid', {
        code: 'BUCKET_EMPTY',
        detail: `the WAL belongs to life ${identity.life} of cluster ${identity.clusterId}, but ${world.store.location} holds no cluster; check bucket and prefix, or move the WAL folder away`,
      })
    }
    return startFresh(world, phases, survey)
  }
  if (identity === undefined) return coldStart(world, phases, survey, source)
  if (identity.clusterId !== source.clusterId) {
    throw new OpError('invalid', {
      code: 'FOREIGN_WAL',
      detail: `the WAL belongs to cluster ${identity.clusterId}, ${world.store.location} to cluster ${source.clusterId}; check bucket and prefix, or move the WAL folder away`,
    })
  }
  if (identity.life < source.life) {
    throw new OpError('fenced', {
      code: 'LIFE_OVER',
      detail: `this disk belongs to life ${identity.life}; the cluster lives life ${source.life} since ${isoTime(source.openedAtMs)}. Move the WAL folder away to join it from the bucket`,
    })
  }
  // We claimed a life and stopped before it served: nothing was acknowledged in it, so the disk holds nothing of worth.
  if (identity.life > source.life) return coldStart(world, phases, survey, source)
  return resumeOrContinue(world, phases, survey, source)
}

async function startFresh(world: RecoveryWorld, phases: Phases, survey: Survey): Promise<Recovered> {
  const report = emptyReport('fresh')
  const life = lifeNumber((survey.lives.at(-1)?.life ?? 0) + 1)
  const clusterId = await phases.run('claim', `claim life ${life}`, () =>
    claim(world, { life, parentLife: 0, clusterId: undefined }),
  )
  await endUnopened(world, survey.lives, life, clusterId)
  const metadata: LoadedMetadata = { cluster: new ClusterState(), lastIndex: 0, term: 0 }
  const groups: LoadedGroups = { partitions: new Map(), coordinators: new Map(), term: 0 }
  const next = { world, phases, local: survey.local, report, clusterId, life, parentLife: 0 }
  return openNewLife(next, { metadata, groups, overlay: () => noOverlay, cuts: [] })
}

async function claim(
  world: RecoveryWorld,
  wanted: { readonly life: LifeNumber; readonly parentLife: number; readonly clusterId: string | undefined },
): Promise<string> {
  const clusterId = wanted.clusterId ?? freshUuidText(world.idSource)
  const won = await claimLife(world.store, {
    formatVersion: lifeFormatVersion,
    clusterId,
    life: wanted.life,
    parentLife: wanted.parentLife,
    claimId: freshUuidText(world.idSource),
    claimedBy: world.nodeName,
    claimedAtMs: world.clock.nowMs(),
  })
  if (won) return clusterId
  const other = await readClaim(world.store, wanted.life)
  throw new OpError('fenced', {
    code: 'LIFE_TAKEN',
    detail: `life ${wanted.life} was claimed by ${other.claimedBy} a moment ago; only one standalone node may use a bucket prefix`,
  })
}

/** Lives that were claimed and never served are ended, so that whoever claimed them learns it when it tries to open. */
async function endUnopened(
  world: RecoveryWorld,
  lives: readonly LifeFacts[],
  byLife: LifeNumber,
  clusterId: string,
): Promise<void> {
  for (const facts of lives) {
    if (facts.opened || facts.life >= byLife) continue
    const stands = await openLife(world.store, {
      formatVersion: lifeFormatVersion,
      clusterId,
      life: facts.life,
      state: 'ended',
      parentLife: 0,
      nodes: [],
      cuts: [],
      openedAtMs: world.clock.nowMs(),
      endedByLife: byLife,
    })
    if (stands.state === 'serving') {
      throw new OpError('fenced', {
        code: 'LIFE_TAKEN',
        detail: `life ${facts.life} began to serve while life ${byLife} was being claimed; start again`,
      })
    }
  }
}

/** Our own disk, and the newest life: go on in it, unless somebody has ended it without ever serving. */
async function resumeOrContinue(world: RecoveryWorld, phases: Phases, survey: Survey, source: OpenRecord): Promise<Recovered> {
  const life = lifeNumber(source.life)
  const stores = snapshotStores(world.store, life, world.node, world.crc32c)
  const report = emptyReport('resume')
  const metaSnapshot = await newestSnapshot(stores.metadata, 'metadata', report)
  const groupSnapshot = await newestSnapshot(stores.groups, 'group', report)
  const ends = await phases.run('writers', 'find what was streamed', async () => ({
    data: await surveyWriter(world.store, walPrefix(life, world.node), groupSnapshot.replayFrom),
    metadata: await surveyWriter(world.store, metadataWalPrefix(life), metaSnapshot.replayFrom),
  }))
  const fenced = (await standingFence(world.store, ends.data)) ?? (await standingFence(world.store, ends.metadata))
  if (fenced !== undefined) return coldStart(world, phases, survey, source)
  await breathe(world, life)
  await dropBeyondGap(world, [...ends.metadata.beyondGap, ...ends.data.beyondGap])
  const metadata = metadataFrom(metaSnapshot)
  const groups = await load(world, phases, {
    metadata,
    groupSnapshot,
    objects: { data: ends.data.objects, metadata: ends.metadata.objects },
    report,
  })
  const overlay = await phases.run('overlay', 'lay the local WAL over', async () =>
    overlayWal(world, survey.local, { metadata, groups }, report),
  )
  report.clusterId = source.clusterId
  report.life = life
  report.recoveryPoint = localRecoveryPoint(survey.local)
  const newest = {
    metadata: lastSequence(await stores.metadata.keys()),
    groups: lastSequence(await stores.groups.keys()),
  }
  return assemble(
    { world, local: survey.local, report, clusterId: source.clusterId, life },
    { metadata, groups, overlay },
    {
      data: nextOf(ends.data),
      metadata: nextOf(ends.metadata),
      dataSnapshot: newest.groups + 1,
      metadataSnapshot: newest.metadata + 1,
    },
  )
}

/**
 * Uploads run side by side: a crash leaves objects beyond one that never arrived. They never counted (STREAM-1), what they hold is in
 * our WAL, and their numbers are needed: found taken by other bytes they would look like the end of this writer.
 */
async function dropBeyondGap(world: RecoveryWorld, objects: readonly WriterObject[]): Promise<void> {
  if (objects.length === 0) return
  const failures = await world.store.deleteMany(objects.map((object) => object.key))
  const failed = failures[0]
  if (failed === undefined) return
  throw new OpError('retry', {
    code: 'GAP_NOT_CLEARED',
    detail: `${failed.key} could not be deleted: ${failed.reason}; start again`,
  })
}

const nextOf = (end: WriterEnd): number => end.next

function lastSequence(keys: readonly string[]): number {
  return Number(/(\d{16})$/.exec(keys.at(-1) ?? '')?.[1] ?? -1)
}

async function coldStart(world: RecoveryWorld, phases: Phases, survey: Survey, source: OpenRecord): Promise<Recovered> {
  const report = emptyReport('cold-start')
  const oldLife = lifeNumber(source.life)
  const nodes = source.nodes.map(nodeId)
  // A WAL of that very life is ours: its lock proves that the process which wrote it is gone.
  const ours = survey.local.identity?.life === source.life
  if (!ours && !world.takeover) {
    await phases.run('heartbeat', `see whether life ${oldLife} still breathes`, () =>
      waitUntilStill(world, survey.storeNowMs, oldLife, nodes),
    )
  }
  const life = lifeNumber(assertDefined(survey.lives.at(-1), 'a bucket with a source has lives').life + 1)
  const { clusterId } = source
  await phases.run('claim', `claim life ${life}`, () => claim(world, { life, parentLife: oldLife, clusterId }))
  const stores = snapshotStores(world.store, oldLife, assertDefined(nodes[0], 'a served life names its nodes'), world.crc32c)
  const metaSnapshot = await newestSnapshot(stores.metadata, 'metadata', report)
  const groupSnapshot = await newestSnapshot(stores.groups, 'group', report)
  const fence: Fence = { byLife: life, by: world.nodeName, atMs: world.clock.nowMs() }
  const fenced = await phases.run('fence', `end the writers of life ${oldLife}`, async () => {
    await endUnopened(world, survey.lives, life, clusterId)
    const metadata = await fenceWriter(world.store, { prefix: metadataWalPrefix(oldLife), from: metaSnapshot.replayFrom }, fence)
    const data: FencedWriter[] = []
    for (const node of nodes)
      data.push(await fenceWriter(world.store, { prefix: walPrefix(oldLife, node), from: groupSnapshot.replayFrom }, fence))
    return { metadata, data }
  })
  const metadata = metadataFrom(metaSnapshot)
  const objects = { metadata: fenced.metadata.objects, data: fenced.data.flatMap((writer) => writer.objects) }
  const groups = await load(world, phases, { metadata, groupSnapshot, objects, report })
  // Laid over only after the first snapshots are stored: they say what is in the bucket, and this is not yet.
  const overlay = (): Overlay => (ours ? overlayWal(world, survey.local, { metadata, groups }, report) : noOverlay)
  report.cuts = [fenced.metadata, ...fenced.data].map(({ prefix, cut }) => ({ prefix, sequence: cut }))
  report.recoveryPoint = ours ? localRecoveryPoint(survey.local) : await recoveryPoint(world, objects.data)
  return openNewLife(
    { world, phases, local: survey.local, report, clusterId, life, parentLife: oldLife },
    { metadata, groups, overlay, cuts: report.cuts },
  )
}

const localRecoveryPoint = ({ damage }: LocalWal): string =>
  damage.length === 0
    ? 'nothing acknowledged was lost: the local WAL is whole'
    : 'the local WAL is damaged: what that cost is told under damage'

async function recoveryPoint(world: RecoveryWorld, objects: readonly WriterObject[]): Promise<string> {
  const last = objects.at(-1)
  if (last === undefined) return 'nothing was streamed since the last snapshot; topics with bucket durability lost nothing'
  const { lastModifiedMs } = await world.store.head(last.key)
  return (
    `the last object of the old life was stored at ${isoTime(lastModifiedMs)} (the store's clock): topics with quorum durability may lack ` +
    `what was acknowledged after it was sealed, at most one stream interval before the end; topics with bucket durability lost nothing`
  )
}

/** From here on a cold start elsewhere waits, although the running node's own heartbeat (running/heartbeat.ts) begins only later. */
const breathe = (world: RecoveryWorld, life: LifeNumber): Promise<void> =>
  writeHeartbeat(world.store, {
    life,
    node: world.node,
    state: 'serving',
    intervalMs: world.heartbeatMs,
    writtenAtMs: world.clock.nowMs(),
  })

/** Waits until the old life has been silent for three intervals. OpError `busy` when it is seen to breathe. */
async function waitUntilStill(
  world: RecoveryWorld,
  storeNowMs: number,
  life: LifeNumber,
  nodes: Parameters<typeof readHeartbeats>[2],
): Promise<void> {
  const first = await readHeartbeats(world.store, life, nodes)
  const breathing = first.filter(
    (sign) => sign.record.state === 'serving' && storeNowMs - sign.lastModifiedMs < 3 * sign.record.intervalMs,
  )
  const newest = breathing.reduce((latest, sign) => Math.max(latest, sign.lastModifiedMs + 3 * sign.record.intervalMs), 0)
  if (newest === 0) return
  const waitMs = newest - storeNowMs
  world.log.info('the old life wrote a heartbeat a moment ago; waiting to see whether it still lives', {
    life,
    waitMs: Math.ceil(waitMs),
  })
  world.progress('heartbeat', `life ${life} was alive a moment ago; waiting ${Math.ceil(waitMs / 1000)} s`)
  await sleep(world.clock, waitMs)
  const again = await readHeartbeats(world.store, life, nodes)
  const alive = again.find(
    (sign) => sign.record.state === 'serving' && !first.some((before) => before.lastModifiedMs === sign.lastModifiedMs),
  )
  if (alive === undefined) return
  throw new OpError('busy', {
    code: 'LIFE_BREATHES',
    detail: `node ${alive.record.node} of life ${life} is alive on ${world.store.location}; stop it, or start with --takeover to end its life`,
  })
}

async function load(
  world: RecoveryWorld,
  phases: Phases,
  from: {
    readonly metadata: LoadedMetadata
    readonly groupSnapshot: Parameters<typeof groupsFrom>[0]
    readonly objects: { readonly metadata: readonly WriterObject[]; readonly data: readonly WriterObject[] }
    readonly report: RecoveryReport
  },
): Promise<LoadedGroups> {
  await phases.run('metadata', `replay ${from.objects.metadata.length} metadata objects`, () =>
    loadMetadata(world, from.metadata, from.objects.metadata),
  )
  return phases.run('groups', `read the footers of ${from.objects.data.length} WAL objects`, async () => {
    const groups = groupsFrom(from.groupSnapshot, from.metadata.cluster)
    await loadGroups(world, groups, from.objects.data, from.report)
    return groups
  })
}

interface NewLife {
  readonly world: RecoveryWorld
  readonly phases: Phases
  readonly local: LocalWal
  readonly report: RecoveryReport
  readonly clusterId: string
  readonly life: LifeNumber
  readonly parentLife: number
}

interface LoadedState {
  readonly metadata: LoadedMetadata
  readonly groups: LoadedGroups
  readonly overlay: Overlay
}

/** The first snapshots of a life stand before it opens: a later cold start never has to look further back. */
async function openNewLife(
  next: NewLife,
  loaded: Omit<LoadedState, 'overlay'> & { readonly overlay: () => Overlay; readonly cuts: RecoveryReport['cuts'] },
): Promise<Recovered> {
  const { world, phases, report, clusterId, life, parentLife } = next
  const stores = snapshotStores(world.store, life, world.node, world.crc32c)
  await phases.run('open', `store the first snapshots and a sign of life, and open life ${life}`, async () => {
    const term = leaderEpoch(Math.max(loaded.metadata.term, loaded.groups.term))
    const head = { life, node: world.node, term, replayFrom: 0, createdMs: world.clock.nowMs() }
    const streamed = streamedState(loaded)
    await Promise.all([
      stores.metadata.write(0, { ...head, sections: streamed.metadata }),
      stores.groups.write(0, { ...head, sections: streamed.groups }),
      // Before it opens: an open life without a sign of life is one that died, to whoever starts at the same moment.
      breathe(world, life),
    ])
    const stands = await openLife(world.store, {
      formatVersion: lifeFormatVersion,
      clusterId,
      life,
      state: 'serving',
      parentLife,
      nodes: [world.node],
      cuts: loaded.cuts,
      openedAtMs: head.createdMs,
    })
    if (stands.state === 'ended') {
      throw new OpError('fenced', {
        code: 'LIFE_ENDED',
        detail: `life ${life} was ended by life ${String(stands.endedByLife)} before it could serve`,
      })
    }
    await next.local.writeIdentity({ clusterId, life, node: world.node })
  })
  report.clusterId = clusterId
  report.life = life
  report.parentLife = parentLife
  const nextSequence = { data: 0, metadata: 0, dataSnapshot: 1, metadataSnapshot: 1 }
  return assemble(next, { ...loaded, overlay: loaded.overlay() }, nextSequence)
}

/** What the first snapshots of a new life say: all that is in the bucket. */
function streamedState(loaded: Omit<LoadedState, 'overlay'>): {
  readonly metadata: SnapshotSections
  readonly groups: SnapshotSections
} {
  const { metadata, groups } = loaded
  return {
    metadata: [
      { group: metadataGroup, kind: 'log', appliedIndex: logIndex(metadata.lastIndex), bytes: metadata.cluster.snapshot() },
    ],
    groups: [
      ...[...groups.partitions].map(([group, { state }]) => ({
        group,
        kind: 'log' as const,
        appliedIndex: logIndex(state.lastIndex),
        bytes: state.encode(),
      })),
      ...[...groups.coordinators].map(([group, one]) => ({
        group,
        kind: 'coordinator' as const,
        appliedIndex: logIndex(one.appliedIndex),
        bytes: one.bytes,
      })),
    ],
  }
}

type SnapshotSections = Parameters<ReturnType<typeof snapshotStores>['groups']['write']>[1]['sections']

function assemble(
  next: Pick<NewLife, 'world' | 'local' | 'report' | 'clusterId' | 'life'>,
  loaded: LoadedState,
  nextSequence: Recovered['nextSequence'],
): Recovered {
  const { metadata, groups, overlay } = loaded
  const partitions = new Map<GroupNumber, RecoveredPartition>()
  for (const [group, { state, streamedIndex }] of groups.partitions) {
    partitions.set(group, { group, state, streamedIndex, tail: overlay.tails.get(group) ?? [] })
  }
  const coordinators = new Map<GroupNumber, RecoveredCoordinator>()
  for (const [group, one] of groups.coordinators) coordinators.set(group, { group, ...one })
  const toStreamMetadata = overlay.toStream.filter((entry) => entry.group === metadataGroup).length
  return {
    clusterId: next.clusterId,
    life: next.life,
    term: leaderEpoch(Math.max(metadata.term, groups.term) + 1),
    wal: next.local.wal,
    cluster: metadata.cluster,
    metadata: { lastIndex: metadata.lastIndex, streamedIndex: metadata.lastIndex - toStreamMetadata },
    partitions,
    coordinators,
    toStream: overlay.toStream,
    nextSequence,
    report: next.report,
  }
}

function finishReport(
  recovered: Recovered,
  totals: { readonly phases: RecoveryReport['phases']; readonly durationMs: number; readonly requests: number },
): void {
  const { report } = recovered
  report.phases = totals.phases
  report.durationMs = totals.durationMs
  report.requests = totals.requests
  report.topics = recovered.cluster.topicCount
  report.partitions = recovered.partitions.size
  for (const { state } of recovered.partitions.values()) {
    report.records += state.endOffset - state.logStartOffset
    report.segments += state.segments.length
    report.archivedBytes += state.segments.reduce((sum, segment) => sum + segment.dataBytes, 0)
  }
}
