// Owns the claim that idle connections are cheap: 10,000 of them against a front in a process of its own.

import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { RawClient } from './support/raw-client.ts'

interface Facts {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly connections: number
  readonly cpuMs: number
}

const wanted = 10_000
/** Node raises its soft limit to the hard one; some are left for everything else. */
const openFilesMax = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
const count = openFilesMax === 'unlimited' ? wanted : Math.min(wanted, Number(openFilesMax) - 300)

let folder: string
let child: ChildProcess
let port: number
const sockets: Socket[] = []

const answerOf = <Answer>(): Promise<Answer> =>
  new Promise((resolve) => child.once('message', resolve as (message: unknown) => void))

beforeAll(async () => {
  folder = mkdtempSync(join(process.cwd(), 'node_modules/.chronik-idle-'))
  const outfile = join(folder, 'server.mjs')
  const entryPoints = [join(import.meta.dirname, 'support/idle-server.ts')]
  await build({ entryPoints, outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' })
  child = fork(outfile, { execArgv: ['--expose-gc'] })
  ;({ port } = await answerOf<{ port: number }>())
})

afterAll(() => {
  for (const socket of sockets) socket.destroy()
  child.disconnect()
  rmSync(folder, { recursive: true, force: true })
})

const open = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    sockets.push(socket)
    socket.once('connect', resolve).once('error', reject)
  })

const factsNow = (): Promise<Facts> => {
  const answer = answerOf<Facts>()
  child.send('facts')
  return answer
}

it(`${count} idle connections cost little memory and no time`, async () => {
  const first = await RawClient.connect(port)
  await first.ask('ApiVersions', 0, apiVersionsRequest())
  const before = await factsNow()
  for (let opened = 0; opened < count; opened += 200)
    await Promise.all(Array.from({ length: Math.min(200, count - opened) }, open))
  let after = await factsNow()
  while (after.connections < count) after = await factsNow()
  const perConnection = (after.rss - before.rss) / count
  const idleFrom = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 6000))
  const rested = await factsNow()
  const cpuShare = (rested.cpuMs - after.cpuMs) / (performance.now() - idleFrom)
  console.log(
    `${count} idle connections: ${Math.round(perConnection)} bytes resident each, of them ` +
      `${Math.round((after.heapUsed - before.heapUsed) / count)} heap; ${(cpuShare * 100).toFixed(2)} % of a core while idle`,
  )
  expect(perConnection).toBeLessThan(16_000)
  expect(cpuShare).toBeLessThan(0.1)
  const begunAt = performance.now()
  await first.ask('ApiVersions', 0, apiVersionsRequest())
  expect(performance.now() - begunAt).toBeLessThan(500)
  first.close()
})
